"""The corpus: files that strangers send, all of them made by code and none of them stored."""

from tests.security.case import Hostile
from tests.security.hostile import (
    archives,
    exported,
    keras,
    names,
    onnx,
    paths,
    pickles,
    protobufs,
    text,
    weights,
)

CORPUS: dict[str, Hostile] = {
    f"{family.__name__.rpartition('.')[2]}: {name}": case
    for family in (pickles, exported, onnx, protobufs, paths, keras, archives, text, weights, names)
    for name, case in family.CASES.items()
}
"""By family and what it tries."""
