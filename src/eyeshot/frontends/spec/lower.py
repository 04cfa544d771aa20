"""From a spec to a graph, with a row for every op, every join, and every named group."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from eyeshot.errors import GraphError, SpecError
from eyeshot.frontends.spec.context import Context
from eyeshot.frontends.spec.faults import meant
from eyeshot.frontends.spec.frontend import INPUT
from eyeshot.frontends.spec.printing import chain_text, op_text, step_text
from eyeshot.frontends.spec.tree import Join, Op, Skip
from eyeshot.frontends.spec.words import words
from eyeshot.graph import ModuleOutput, Tensor

if TYPE_CHECKING:
    from eyeshot.frontends.spec.tree import Chain, Spec, Step
    from eyeshot.graph import Graph, Ref

SHOWN = 40
"""Characters of a group's text that the table shows as its kind."""


class Scope:
    """Where names are given out: the path of a group, and what is taken in it.

    ``written`` are the names that the text gives, which no other layer gets.
    """

    def __init__(self, written: frozenset[str], path: str = "") -> None:
        self.written = written
        self.path = path
        self._used: set[str] = set()
        self._next: Counter[str] = Counter()

    def name(self, base: str) -> str:
        """A full name that nothing in this group has: ``conv``, ``conv_1``, ..."""
        own = ""
        while not own or own in self._used or (own in self.written and own != base):
            own = f"{base}_{self._next[base]}" if self._next[base] else base
            self._next[base] += 1
        self._used.add(own)
        return f"{self.path}.{own}" if self.path else own

    def inside(self, path: str) -> Scope:
        """The scope of a group in this one."""
        return Scope(self.written, path)


def names_in(steps: Chain) -> frozenset[str]:
    """The names that a text gives."""
    names: set[str] = set()
    for step in steps:
        names.add(step.name)
        body = step.body
        inner = body.branches if isinstance(body, Join) else (body,) if isinstance(body, tuple) else ()
        names.update(*map(names_in, inner))
    return frozenset(names - {""})


def lower(spec: Spec, shape: tuple[int, ...]) -> Graph:
    """The graph of a spec on one input of ``shape`` (N, C, *spatial).

    Raises
    ------
    SpecError
        where the network does not fit together, or the input.
    """
    lowering = _Lowering(Context(spec, len(shape) - 2))
    ctx = lowering.ctx
    out = lowering.chain(spec.chain, ctx.input(INPUT, shape), Scope(names_in(spec.chain)))
    ctx.graph.outputs["output"], ctx.graph.dtypes["output"] = out.node, "float32"
    return ctx.graph


class _Lowering:
    """One walk over a spec; ``seen`` has the last output of every name."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.seen: dict[str, Ref] = {}

    def chain(self, chain: Chain, x: Ref, scope: Scope) -> Ref:
        """One step after the other."""
        for step in chain:
            x = self._steps(step, x, scope)
            if step.name:
                self.seen[step.name] = x
        return x

    def _steps(self, step: Step, x: Ref, scope: Scope) -> Ref:
        """A step as often as it is repeated; a named repetition is a group with a row, and rows 0, 1, ... inside."""
        if step.times == 1 or not step.name:
            for _ in range(step.times):
                x = self._step(step, x, scope, step.name)
            return x
        path, first = scope.name(step.name), len(self.ctx.graph.tensors)
        inner = scope.inside(path)
        for turn in range(step.times):
            x = self._step(step, x, inner, str(turn))
        return self._row(path, step, x, first, whole=True)

    def _step(self, step: Step, x: Ref, scope: Scope, name: str) -> Ref:
        first, body = len(self.ctx.graph.tensors), step.body
        match body:
            case Op():
                return self._op(step, body, x, scope.name(name or body.kind))
            case Skip():
                if body.name not in self.seen:
                    hint = meant(body.name, self.seen, "name one first")
                    self.ctx.refuse(f"no layer before this one is called {body.name!r}: {hint}", step)
                return self.seen[body.name]
            case Join():
                path = scope.name(name or body.kind)
                inner = scope.inside(path)
                out = self._joined(step, body, [self.chain(branch, x, inner) for branch in body.branches])
                self._tensor(path, body.kind, out, 0)
                return self._row(path, step, out, first)
            case tuple():
                if not name:
                    return self.chain(body, x, scope)
                path = scope.name(name)
                return self._row(path, step, self.chain(body, x, scope.inside(path)), first)
            case _:
                assert_never(body)

    def _op(self, step: Step, op: Op, x: Ref, path: str) -> Ref:
        ctx = self.ctx
        ctx.step, ctx.macs, ctx.parameters = step, 0, 0
        word = words().get(op.kind)
        if word is None:
            ctx.refuse(f"there is no op {op.kind!r}: {meant(op.kind, words(), 'see docs/spec.md')}")
        if ctx.rank not in word.ranks:
            ctx.refuse(f"{op.kind} exists in {' or '.join(f'{rank}d' for rank in word.ranks)} alone")
        try:
            out = word.lowering(ctx, x, op)
        except SpecError as error:
            if error.position is None:
                ctx.refuse(str(error))
            raise
        self._tensor(path, op.kind, out, ctx.macs, op)
        ctx.graph.modules.append(
            ModuleOutput(
                path, path, op_text(op), out.node, True, len(ctx.graph.tensors) - 1, len(ctx.graph.tensors), ctx.parameters
            )
        )  # fmt: skip
        return out

    def _joined(self, step: Step, join: Join, parts: list[Ref]) -> Ref:
        ctx, shapes = self.ctx, [part.shape for part in parts]
        shown = " and ".join("x".join(map(str, shape[1:])) for shape in dict.fromkeys(shapes))
        if join.kind == "concat":
            if len({(len(shape), shape[2:]) for shape in shapes}) > 1:
                ctx.refuse(f"branches of {shown} do not lie end to end: their extents differ", step)
            return ctx.concat(parts, 1)
        try:
            return ctx.pointwise(*parts)
        except GraphError:
            ctx.refuse(f"branches of {shown} have no common shape", step)

    def _tensor(self, path: str, kind: str, out: Ref, macs: int, arguments: Op | None = None) -> None:
        self.ctx.graph.tensors.append(
            Tensor(path, kind, out.node, out.shape, module=path, macs=macs, arguments=arguments)
        )

    def _row(self, path: str, step: Step, out: Ref, first: int, *, whole: bool = False) -> Ref:
        """A row for a join or a group; ``whole`` where it is all turns of a repetition."""
        graph = self.ctx.graph
        kind = step_text(replace(step, name="")) if whole else _kind(step.body)
        kind = kind if len(kind) <= SHOWN else f"{kind[: SHOWN - 1]}…"
        graph.modules.append(ModuleOutput(path, path, kind, out.node, False, first, len(graph.tensors), 0))
        return out


def _kind(body: Op | Skip | Join | Chain) -> str:
    """What the table calls a join or a group."""
    return body.kind if isinstance(body, Join) else chain_text(body) if isinstance(body, tuple) else ""
