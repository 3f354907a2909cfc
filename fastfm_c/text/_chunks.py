"""Whole lines of a file, and what is said about a fault in them."""

import re
from dataclasses import dataclass, field

__all__ = ["Chunk", "within"]

_LONGEST_TOKEN = 30  # bytes of a token that a message shows

# For text with fields and without: the pattern of a value in the other format, and a hint.
_OTHER_FORMAT = {
    False: (rb"\d+:\d+:[^:]+", "load_libffm reads field:index:value"),
    True: (rb"\d+:[^:]+", "load_libsvm reads index:value"),
}
# What the C library expected, and what a message says instead.
_BEYOND, _LABEL, _ONE_LABEL = "an index within n_features", "a label", "one label"
_LABELS = {
    _LABEL: "a finite number as label, as in the first row",
    _ONE_LABEL: "one label (load_svmlight_file(multilabel=True) of scikit-learn reads several)",
}


def within(
    n_features: int, hint: str = "give a larger n_features, or unknown='ignore' to leave it out"
) -> str:
    """What was expected instead of an index that is too large."""
    return f"{_BEYOND} = {n_features} ({hint})"


@dataclass
class Chunk:
    """Some whole lines of a file, and where they are in it, for error messages."""

    name: str  # of the file
    first_line: int = 1  # number of the first line of the chunk
    lines_before: int = 0  # in the files before this one, if several are read as one
    has_labels: bool = True  # whether rows begin with labels
    buffer: bytearray = field(default_factory=bytearray)

    def error(self, line: int, column: int, problem: str) -> ValueError:
        """An error at a line and a column of the file, both counted from 1."""
        return ValueError(f"{self.name}:{line}:{column}: {problem}")

    def fault(self, offset: int, expected: str, has_fields: bool, index: str) -> ValueError:
        """An error at a byte of the chunk, in text with or without fields.

        `index` is what was expected instead of an index that is too large: see `within`.
        """
        line = self.first_line + self.buffer.count(b"\n", 0, offset)
        begin = self.buffer.rfind(b"\n", 0, offset) + 1
        end = offset + _LONGEST_TOKEN
        token = re.match(
            rb"[^ \t\r\n,]*" if expected != _ONE_LABEL else rb"[^ \t\r\n]*", self.buffer[offset:end]
        )
        text = bytes(token[0]) if token else b""
        found = repr(text or b",")[1:] if text or self.buffer[offset] == ord(",") else "the end of the line"
        hint = self._hint(bytes(self.buffer[max(offset - _LONGEST_TOKEN, begin) : offset]), text, has_fields)
        if expected == _BEYOND:
            expected, hint = index, ""
        return self.error(
            line, offset - begin + 1, f"found {found}, expected {_LABELS.get(expected, expected)}{hint}"
        )

    def _hint(self, before: bytes, text: bytes, has_fields: bool) -> str:
        """What may be wrong with a token, of which some is before the fault, and `text` behind it."""
        begun = re.search(rb"[^ \t\r\n,]*\Z", before)
        other, reads = _OTHER_FORMAT[has_fields]
        if re.fullmatch(other, (begun[0] if begun else b"") + text):
            return f" ({reads})"
        if re.search(rb":[-+.\d]+,\Z", before) and re.fullmatch(rb"\d+(e[-+]?\d+)?", text, re.IGNORECASE):
            return " (a comma separates values: write decimal numbers with a point)"
        if not self.has_labels and not before.strip(b" \t\r,") and text and b":" not in text:
            return " (the first row has no label, and so none may have one)"
        return ""

    def column(self, line: int, value: int) -> int:
        """The column where a value of a sound line begins; `value` counts from 0."""
        text = bytes(self.buffer).split(b"\n")[line - self.first_line]
        tokens = [token for token in re.finditer(rb"[^ \t\r,]+", text) if not token[0].startswith(b"qid:")]
        return tokens[value + self.has_labels].start() + 1
