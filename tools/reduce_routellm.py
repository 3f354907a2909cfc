"""Makes docs/gallery/data/routellm.csv.xz from the answers that RouteLLM publishes: see the .md beside it.

Usage: python tools/reduce_routellm.py CSV   (columns: task, subject, prompt, weak is right, strong is right)
"""

import csv
import lzma
import re
import sys
import zlib
from collections import Counter
from pathlib import Path

TARGET = Path(__file__).parents[1] / "docs" / "gallery" / "data" / "routellm.csv.xz"
N_HASHES = 4096
N_WORDS = 12  # the rarest of a prompt, of those that occur in at least LEAST_PROMPTS
LEAST_PROMPTS = 5


def words_of(prompt):
    return set(re.findall(r"[a-z]{3,}", prompt.lower()))


def main(source):
    with lzma.open(source, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    counts = Counter(word for row in rows for word in words_of(row[2]))
    with lzma.open(TARGET, "wt", encoding="utf-8", newline="", preset=9) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["task", "subject", "length", "digits", "words", "weak", "strong"])
        for task, subject, prompt, weak, strong in rows:
            known = [word for word in words_of(prompt) if counts[word] >= LEAST_PROMPTS]
            rarest = sorted(known, key=lambda word: (counts[word], word))[:N_WORDS]
            hashes = sorted({zlib.crc32(word.encode()) % N_HASHES for word in rarest})
            digits = sum(c.isdigit() for c in prompt)
            answers = [int(answer in ("1", "1.0", "True")) for answer in (weak, strong)]
            writer.writerow([task, subject, len(prompt), digits, " ".join(map(str, hashes)), *answers])


if __name__ == "__main__":
    main(sys.argv[1])
