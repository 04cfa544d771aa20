"""The corpus: files that strangers send, all of them made by code and none of them stored."""

from tests.security.case import Hostile
from tests.security.hostile import (
    archives,
    exported,
    graphs,
    keras,
    names,
    onnx,
    paths,
    pickles,
    protobufs,
    text,
    weights,
)

FAMILIES = (pickles, exported, onnx, graphs, protobufs, paths, keras, archives, text, weights, names)

CORPUS: dict[str, Hostile] = {
    f"{family.__name__.rpartition('.')[2]}: {name}": case
    for family in FAMILIES
    for name, case in family.CASES.items()
}
"""By family and what it tries."""
