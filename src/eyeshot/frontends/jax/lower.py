"""From a jaxpr to a graph of relations."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from eyeshot.errors import GraphError, UnsupportedOpError
from eyeshot.frontends.jax import known
from eyeshot.frontends.jax.context import CALLS, LOWERINGS, Context
from eyeshot.frontends.jax.naming import Names
from eyeshot.graph import Graph, Ref
from eyeshot.graph.masks import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.frontends.jax.capture import Capture
    from eyeshot.frontends.registry import OnUnknown

UNKNOWN = "unknown-op"
MASKING = frozenset({"add", "select_n"})
"""What makes a mask of numbers; lowered for constants too, which may hold a learned bias that a mask is added to."""


LOOPS = frozenset({"scan", "while"})
"""What is evaluated as a whole where all is known, and may be one tensor, though it holds equations."""


@cache
def load_lowerings() -> None:
    """Import every file of lowerings once."""
    ops = importlib.import_module("eyeshot.frontends.jax.ops")
    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")


def lower(capture: Capture, on_unknown: OnUnknown = "error") -> Graph:
    """The graph of a captured program.

    Raises
    ------
    UnsupportedOpError
        listing every primitive without a lowering, unless ``on_unknown`` is ``"dense"``.
    """
    load_lowerings()
    ctx = Interpreter(Names(capture.calls))
    jaxpr = capture.jaxpr
    operands = []
    for var, name in zip(jaxpr.jaxpr.invars, capture.names, strict=True):
        shape = tuple(var.aval.shape)
        operands.append(ctx.constant(shape) if name is None else ctx.input(name, shape))
    outputs = [plain(ctx, ref) for ref in ctx.follow(jaxpr, operands)]
    if ctx.unknown and on_unknown == "error":
        raise UnsupportedOpError(ctx.unknown)
    graph = ctx.graph
    for name, ref, var in zip(capture.outputs, outputs, jaxpr.jaxpr.outvars, strict=True):
        graph.outputs[name], graph.dtypes[name] = ref.node, str(var.aval.dtype)
    ctx.names.finish(graph, capture.owned)
    return graph


class Interpreter(Context):
    """Lowers equation by equation; a context to the lowerings, which call it for the jaxprs inside of theirs."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self.names = names
        self.unknown: dict[str, list[str]] = defaultdict(list)

    def sketch(self) -> Interpreter:
        """An empty one that names nothing, and shares what is unknown."""
        other = Interpreter(Names(self.names.calls))
        other.unknown = self.unknown
        return other

    def follow(self, jaxpr: ClosedJaxpr, operands: Sequence[Ref], name: str = "") -> list[Ref]:
        """Lower the equations of a jaxpr, and of those in it."""
        inner = jaxpr.jaxpr
        refs: dict[Any, Ref] = dict(zip(inner.invars, operands, strict=True))
        refs.update(zip(inner.constvars, map(self._held, jaxpr.consts), strict=True))
        before = len(self.graph.tensors)
        self.functions.append(name)
        for eqn in inner.eqns:
            given = [self._read(refs, atom) for atom in eqn.invars]
            with self.names.at(eqn):
                refs.update(zip(eqn.outvars, self._lowered(eqn, given), strict=True))
        self.functions.pop()
        outputs = [self._read(refs, atom) for atom in inner.outvars]
        if name.strip("_").isidentifier() and len(outputs) == 1:
            self.names.rename(self.graph, before, outputs[0], name)
        return outputs

    def _held(self, value: Any) -> Ref:
        constant = self.constant(tuple(value.shape))
        return constant._replace(known=known.held(value))

    def _read(self, refs: dict[Any, Ref], atom: Any) -> Ref:
        if not isinstance(atom, Literal):
            return refs[atom]
        value = known.plain(np.asarray(atom.val, atom.aval.dtype))  # type: ignore[attr-defined]
        return self.constant(value.shape)._replace(known=value)

    def _lowered(self, eqn: Any, operands: list[Ref]) -> list[Ref]:
        op = eqn.primitive.name
        if op == "name":
            self.names.mark(self.graph, eqn.params["name"], operands[0], eqn)
            return operands
        if not eqn.outvars:  # it prints, or checks
            return []
        constant = all(self.is_constant(ref) for ref in operands)
        followed = op in CALLS and op not in LOOPS
        if constant and not followed and all(ref.known is not None for ref in operands):
            values = known.evaluate(eqn, [ref.known for ref in operands if ref.known is not None])
            if values is not None:
                return [self.constant(value.shape)._replace(known=value) for value in values]
        if constant and op not in CALLS and not _masks(op, operands):
            return [self.constant(tuple(getattr(var.aval, "shape", ()))) for var in eqn.outvars]
        before = len(self.graph.tensors)
        outputs = self._related(eqn, operands)
        as_one = op in LOOPS and len(self.graph.tensors) == before
        if (op not in CALLS or as_one) and not constant:
            self.names.add(self.graph, eqn, outputs, free=self.resizing)
        return outputs

    def _related(self, eqn: Any, operands: list[Ref]) -> list[Ref]:
        op = eqn.primitive.name
        self.eqn = eqn
        shapes = self.output_shapes
        if op not in LOWERINGS:
            places = self.unknown[op]
            if self.names.place not in places:
                places.append(self.names.place)
            return [self.dense(operands, shape, UNKNOWN) for shape in shapes]
        result = LOWERINGS[op](self, *operands, **eqn.params)
        outputs = [result] if isinstance(result, Ref) else list(result)
        if [ref.shape for ref in outputs] != shapes:
            raise GraphError(
                f"the lowering of {op} at {self.names.place} gave shapes {[ref.shape for ref in outputs]}, "
                f"the framework {shapes}"
            )
        return outputs


def _masks(op: str, operands: list[Ref]) -> bool:
    """Whether a constant that nobody knows (a learned bias) is known to be -inf somewhere, or may become so."""
    return any(ref.cut is not None for ref in operands) or (
        op in MASKING and any(ref.known is not None for ref in operands)
    )
