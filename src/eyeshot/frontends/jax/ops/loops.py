"""Loops: followed step by step where they are short, by what one step reads where that is all, else sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr

from eyeshot.frontends.jax import loops
from eyeshot.frontends.jax.context import Context, lowers
from eyeshot.frontends.jax.forms import Form, composed, merged
from eyeshot.graph import Ref
from eyeshot.graph.masks import plain
from eyeshot.relations import Pointwise

LONGEST = 4096
"""Equations of a loop that are followed one by one."""


@lowers("scan", follows=True)
def scan(
    ctx: Context, *operands: Ref, jaxpr: ClosedJaxpr, length: int, reverse: bool, num_consts: int, num_carry: int,
    **params: Any,
) -> list[Ref]:  # fmt: skip
    """Collected values read their own step's slices and all before them, as far as the carried values hand them on."""
    shapes = ctx.output_shapes
    given = [plain(ctx, ref) if ref.cut is not None else ref for ref in operands]
    if not length or all(ctx.is_constant(ref) for ref in given):
        return _unmoved(ctx, given, shapes, num_consts, num_carry)
    behind = num_consts + num_carry
    inner = [ref.shape if place < behind else ref.shape[1:] for place, ref in enumerate(given)]
    step = loops.step(ctx, jaxpr, given, inner, num_consts, num_carry)
    outputs, exact = _by_forms(ctx, step, given, shapes, length, reverse=reverse)
    if exact:
        return outputs
    if length * _equations(jaxpr) <= LONGEST:
        return _unrolled(ctx, jaxpr, given, (num_consts, num_carry, length), reverse=reverse)
    return [_flagged(ctx, ref) for ref in outputs]


def _unmoved(
    ctx: Context, given: list[Ref], shapes: list[tuple[int, ...]], constants: int, carried: int
) -> list[Ref]:
    """A loop that no input enters, or that takes no step."""
    first = given[constants : constants + carried]
    if any(not ctx.is_constant(ref) for ref in first):
        return [*first, *(ctx.constant(shape) for shape in shapes[carried:])]
    return [ctx.constant(shape) for shape in shapes]


def _by_forms(
    ctx: Context,
    step: loops.Step,
    given: list[Ref],
    shapes: list[tuple[int, ...]],
    length: int,
    *,
    reverse: bool,
) -> tuple[list[Ref], bool]:
    carried = step.carried
    behind = step.constants + carried
    parts: list[list[Ref]] = [[] for _ in shapes]
    exact = True
    for source, ref in enumerate(given):
        if ctx.is_constant(ref):
            continue
        if step.constants <= source < behind:
            # A first value has entered before the first step, so what is collected there reads it one lag later.
            row = loops.start(shapes[:carried], source - step.constants)
            rows, found = loops.lags(step, row, (), length + 1)
            found = found[1:]
            final = [rows[length]]
        else:
            rows, found = loops.lags(step, *step.of(source), length)
            final = rows[:length]
        exact &= loops.exact(final) and loops.exact(found)
        for place, shape in enumerate(shapes):
            if place >= carried:
                out = place - carried
                if source >= behind:
                    parts[place] += loops.collected(ctx, ref, found, out, shape, reverse=reverse)
                else:
                    parts[place] += loops.everywhere(
                        ctx, ref, found, out, shape, reverse=reverse, since=source < step.constants
                    )
            elif source >= behind:
                parts[place] += loops.last(ctx, ref, final, place, shape, reverse=reverse)
            else:
                kinds = loops.by_form(final, place)
                parts[place] += [loops.shaped(ctx, ref, aligned, shape) for aligned in kinds]
    joined = [ctx.pointwise(*refs, shape=shape) if refs else ctx.constant(shape)
              for refs, shape in zip(parts, shapes, strict=True)]  # fmt: skip
    return joined, exact


def _unrolled(
    ctx: Context, body: ClosedJaxpr, given: list[Ref], counts: tuple[int, int, int], *, reverse: bool
) -> list[Ref]:
    constants, carried, length = counts
    state = given[constants : constants + carried]
    collected: dict[int, list[Ref]] = {}
    for time in reversed(range(length)) if reverse else range(length):
        slices = [_slice(ctx, ref, time) for ref in given[constants + carried :]]
        outputs = ctx.follow(body, [*given[:constants], *state, *slices])
        state, collected[time] = outputs[:carried], outputs[carried:]
    columns = zip(*(collected[time] for time in range(length)), strict=True)
    stacked = [ctx.concat([ctx.reshape(ref, (1, *ref.shape)) for ref in column], 0) for column in columns]
    return [*state, *stacked]


def _slice(ctx: Context, x: Ref, time: int) -> Ref:
    """One slice along the first axis, with what is known of it."""
    out = ctx.reshape(ctx.slice(x, 0, time, time + 1), x.shape[1:])
    return out if x.known is None else out._replace(known=x.known[time])


def _equations(jaxpr: ClosedJaxpr | Jaxpr) -> int:
    """Equations of a jaxpr and of those in it, each as often as it runs."""
    inner = jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr
    total = 0
    for eqn in inner.eqns:
        times = eqn.params["length"] if eqn.primitive.name == "scan" else 1
        total += 1 + times * sum(_equations(part) for part in _inside(eqn.params.values()))
    return total


def _inside(values: Any) -> Iterator[ClosedJaxpr | Jaxpr]:
    for value in values:
        if isinstance(value, ClosedJaxpr | Jaxpr):
            yield value
        elif isinstance(value, list | tuple):
            yield from _inside(value)


def _flagged(ctx: Context, x: Ref) -> Ref:
    return x if ctx.is_constant(x) else ctx.add(Pointwise(), (x,), x.shape, loops.REASON)


@lowers("while", follows=True)
def while_loop(
    ctx: Context, *operands: Ref, cond_jaxpr: ClosedJaxpr, cond_nconsts: int, body_jaxpr: ClosedJaxpr,
    body_nconsts: int, **params: Any,
) -> list[Ref]:  # fmt: skip
    """The values after the last step; where the number of steps is computed, what any number of them would read."""
    given = [plain(ctx, ref) if ref.cut is not None else ref for ref in operands]
    asked, used, state = (
        given[:cond_nconsts],
        given[cond_nconsts:][:body_nconsts],
        given[cond_nconsts + body_nconsts :],
    )
    taken, size = 0, _equations(body_jaxpr)
    while taken <= LONGEST:
        more = _decided(ctx, cond_jaxpr, [*asked, *state])
        if more is None:
            break
        if not more:
            return state
        state = ctx.follow(body_jaxpr, [*used, *state])
        taken += max(1, size)
    return _any_number(ctx, (cond_jaxpr, asked), (body_jaxpr, used), state)


def _decided(ctx: Context, condition: ClosedJaxpr, operands: Sequence[Ref]) -> bool | None:
    """What a condition of known numbers says; None where it is computed."""
    sketch = ctx.sketch()
    given = [
        sketch.constant(ref.shape)._replace(known=ref.known)
        if ctx.is_constant(ref)
        else sketch.input(f"in{place}", ref.shape)
        for place, ref in enumerate(operands)
    ]
    (answer,) = sketch.follow(condition, given)
    return None if answer.known is None else bool(answer.known)


def _any_number(
    ctx: Context,
    asking: tuple[ClosedJaxpr, list[Ref]],
    doing: tuple[ClosedJaxpr, list[Ref]],
    state: list[Ref],
) -> list[Ref]:
    (condition, asked), (body, used) = asking, doing
    shapes = [ref.shape for ref in state]
    step = loops.step(
        ctx, body, [*used, *state], [ref.shape for ref in (*used, *state)], len(used), len(state)
    )
    test = loops.step(
        ctx, condition, [*asked, *state], [ref.shape for ref in (*asked, *state)], len(asked), len(state)
    )
    (answer,) = test.direct
    parts: list[list[Ref]] = [[] for _ in state]
    sources = [(ref, step.of(place)[0]) for place, ref in enumerate(used)]
    sources += [(ref, loops.start(shapes, place)) for place, ref in enumerate(state)]
    for ref, first in sources:
        if ctx.is_constant(ref):
            continue
        row = _closure(step, first)
        asks = merged(composed(form, behind) for form, behind in zip(answer[len(asked) :], row, strict=True))
        for place, form in enumerate(row):
            both = merged([form, asks and Form(frozenset(), asks.exact)])
            parts[place] += [] if both is None else [loops.shaped(ctx, ref, both.aligned, shapes[place])]
    for ref, form in zip(asked, answer, strict=False):
        if form is not None and not ctx.is_constant(ref):
            for place, shape in enumerate(shapes):
                parts[place].append(loops.shaped(ctx, ref, frozenset(), shape))
    joined = [ctx.pointwise(*refs, shape=shape) if refs else ctx.constant(shape)
              for refs, shape in zip(parts, shapes, strict=True)]  # fmt: skip
    return [_flagged(ctx, ref) for ref in joined]


def _closure(step: loops.Step, row: tuple[Form | None, ...]) -> tuple[Form | None, ...]:
    """What carried values read of a source after any number of steps."""
    while True:
        wider = tuple(merged(pair) for pair in zip(row, step.passed(row), strict=True))
        if wider == row:
            return row
        row = wider
