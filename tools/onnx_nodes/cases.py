"""The backend node tests as plain arrays."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case import node as node_package

TWIN = "_expanded"


@dataclass(frozen=True)
class Case:
    """One test: a model of one node (or of a function's body) and the inputs that it comes with.

    ``inputs`` holds arrays, lists of arrays (sequences) and None (an empty optional). ``twins`` are the same test with
    the op's function body in the place of the op. ``subject`` is the op under test, where it is not the first node's;
    ``runtime`` says that the reference implementation is wrong about it (it follows a newer opset), and ONNX Runtime asked.
    """

    name: str
    model: onnx.ModelProto
    inputs: dict[str, Any]
    twins: tuple[Case, ...] = field(default=())
    subject: str = ""
    runtime: bool = False

    @property
    def op(self) -> str:
        """The op under test, with its domain where that is not ONNX's own."""
        if self.subject:
            return self.subject
        node = self.model.graph.node[0]
        return f"{node.domain}.{node.op_type}" if node.domain else node.op_type

    @property
    def opset(self) -> int:
        """The version of the op's domain."""
        domain = self.model.graph.node[0].domain
        return next(int(entry.version) for entry in self.model.opset_import if entry.domain == domain)


def modules() -> list[str]:
    """The modules of the onnx package that make the tests: one an op, or a few ops."""
    prefix = f"{node_package.__name__}."
    return sorted(
        module.name for module in pkgutil.walk_packages(node_package.__path__, prefix) if not module.ispkg
    )


def load(names: list[str] | None = None) -> dict[str, Case]:
    """The tests that some modules (all of them by default) make, by name."""
    for name in modules() if names is None else names:
        _imported(name)
    wanted = None if names is None else {test for name in names for test in _imported(name)}
    found = [test for test in _tests() if wanted is None or test.name in wanted]
    bodies: dict[str, list[Case]] = {}
    for test in found:
        if TWIN in test.name:
            bodies.setdefault(test.name.split(TWIN)[0], []).append(_case(test))
    return {
        test.name: _case(test, tuple(bodies.get(test.name, ()))) for test in found if TWIN not in test.name
    }


def _tests() -> list[Any]:
    """All tests that were made so far: the loader itself would import every module."""
    tests: list[Any] = node_package._NodeTestCases  # noqa: SLF001 - see above
    return tests


@cache
def _imported(module: str) -> tuple[str, ...]:
    """The names of the tests that appear when a module is imported for the first time."""
    before = len(_tests())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about the tests' own overflows
        importlib.import_module(module)
    return tuple(test.name for test in _tests()[before:])


def _case(test: Any, twins: tuple[Case, ...] = ()) -> Case:
    values = test.data_sets[0][0]
    names = [given.name for given in test.model.graph.input]
    return Case(
        test.name,
        test.model,
        {name: _plain(value) for name, value in zip(names, values, strict=True)},
        twins,
    )


def frozen(case: Case, *, weights: bool = False) -> Case | None:
    """The test with its integers (indices, axes, shapes) as constants of the model; None where it has none.

    With ``weights`` all other tensors are constants, too, and None says that there are none. The first input stays one:
    integers there are data.
    """
    tensors = [name for name, value in list(case.inputs.items())[1:] if isinstance(value, np.ndarray)]
    whole = [name for name in tensors if case.inputs[name].dtype.name in {"int32", "int64"}]
    names = tensors if weights else whole
    if not names or (weights and names == whole):
        return None
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    kept = [given for given in model.graph.input if given.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.graph.initializer.extend(numpy_helper.from_array(case.inputs[name], name) for name in names)
    inputs = {name: value for name, value in case.inputs.items() if name not in names}
    return replace(case, model=model, inputs=inputs, twins=())


def _plain(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
