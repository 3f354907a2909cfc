"""Objects that were in a file, as it was or changed before it was loaded."""

import json

from fastfm_c import load, save
from fastfm_c.persistence import _safetensors
from fastfm_c.persistence._objects import object_of, state_of


def again(obj, path, mmap=True):
    """The object after it was saved and loaded."""
    save(obj, path)
    return load(path, mmap)


def load_changed(path, obj, change, mmap=True):
    """Save an object, change what the file holds, and load it.

    `change` is called with state, tensors and metadata, by name, and changes them in place.
    """
    save(obj, path)
    tensors, metadata = _safetensors.read(path, False)
    state = json.loads(metadata["object"])
    change(state=state, tensors=tensors, metadata=metadata)
    if "object" in metadata:
        metadata["object"] = json.dumps(state)
    with open(path, "wb") as file:
        _safetensors.write(file, tensors, metadata)
    return load(path, mmap)


def replaced(state, tensors):
    """A change that replaces members of the state and tensors."""

    def change(**found):
        found["state"].update(state)
        found["tensors"].update(tensors)

    return change


def meta_and_tensors(encoder):
    """What a file holds of an encoder: small JSON values, and arrays."""
    state, tensors = state_of(encoder)
    return state["meta"], tensors


def encoder_of(meta, tensors):
    """The encoder of which a file holds this."""
    return object_of({"kind": "FieldEncoder", "meta": meta}, tensors)
