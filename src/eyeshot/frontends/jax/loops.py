"""Loops whose steps are alike: what the n-th step reads follows from what one step does, without following them all.

``direct`` are forms of one step: for each output (first the carried values, then what is collected) and each input
(first the constants, then the carried values, then the slices of that step) what is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eyeshot.frontends.jax.forms import Form, composed, forms, identity, merged
from eyeshot.graph.masks import plain
from eyeshot.relations import All, Prefix, Suffix, Table
from eyeshot.relations.tables import admitted

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr

    from eyeshot.frontends.jax.context import Context
    from eyeshot.graph import Ref
    from eyeshot.relations import AxisMap

Row = tuple[Form | None, ...]
REASON = "loop"


@dataclass
class Step:
    """One step of a loop: how many constants and carried values it has, and what each output reads of each input."""

    constants: int
    carried: int
    direct: list[list[Form | None]]

    def passed(self, row: Row) -> Row:
        """What the carried values read of a source one step later."""
        return tuple(self._through(out, row) for out in range(self.carried))

    def collected(self, row: Row) -> Row:
        """What the collected values read of it then."""
        return tuple(self._through(out, row) for out in range(self.carried, len(self.direct)))

    def _through(self, out: int, row: Row) -> Form | None:
        given = self.direct[out][self.constants : self.constants + self.carried]
        return merged(composed(form, behind) for form, behind in zip(given, row, strict=True))

    def of(self, source: int) -> tuple[Row, Row]:
        """What carried and collected values read of an input in the same step."""
        column = tuple(row[source] for row in self.direct)
        return column[: self.carried], column[self.carried :]


def step(
    ctx: Context,
    body: ClosedJaxpr,
    operands: Sequence[Ref],
    shapes: Sequence[tuple[int, ...]],
    constants: int,
    carried: int,
) -> Step:
    """One step, looked at alone: what is carried may be computed, whatever it starts as."""
    sketch = ctx.sketch()
    given = []
    for place, (ref, shape) in enumerate(zip(operands, shapes, strict=True)):
        moves = constants <= place < constants + carried
        if moves or not ctx.is_constant(ref):
            given.append(sketch.input(f"in{place}", shape))
        else:
            known = ref.known if place < constants else None
            given.append(sketch.constant(shape)._replace(known=known))
    outputs = [plain(sketch, ref).node for ref in sketch.follow(body, given)]
    columns = [
        forms(sketch.graph, ref.node) if not sketch.is_constant(ref) else [None] * len(sketch.graph.nodes)
        for ref in given
    ]
    return Step(constants, carried, [[column[node] for column in columns] for node in outputs])


def lags(step_: Step, first: Row, collected: Row, length: int) -> tuple[list[Row], list[Row]]:
    """What carried and collected values read of something that entered 0, 1, ... steps before."""
    rows, found = [first], [collected]
    while len(rows) < length:
        found.append(step_.collected(rows[-1]))
        rows.append(step_.passed(rows[-1]))
        if rows[-1] == rows[-2] and found[-1] == found[-2]:
            rows += [rows[-1]] * (length - len(rows))
            found += [found[-1]] * (length - len(found))
    return rows, found


def exact(rows: Sequence[Row]) -> bool:
    """Whether all of these forms are what is read."""
    return all(form is None or form.exact for row in rows for form in row)


def by_form(rows: Sequence[Row], place: int) -> dict[frozenset[tuple[int, int]], list[int]]:
    """For each form of one output the steps that have it."""
    found: dict[frozenset[tuple[int, int]], list[int]] = {}
    for number, row in enumerate(rows):
        form = row[place]
        if form is not None:
            found.setdefault(form.aligned, []).append(number)
    return found


def shaped(ctx: Context, x: Ref, aligned: frozenset[tuple[int, int]], shape: tuple[int, ...]) -> Ref:
    """``x`` as a value of ``shape`` reads it in this form."""
    kept = {source: axis for axis, source in aligned}
    summed = [axis for axis in range(len(x.shape)) if axis not in kept]
    out = ctx.along(x, {axis: (All(), 1) for axis in summed if x.shape[axis] != 1})
    sources = sorted(kept, key=lambda source: kept[source])
    out = ctx.permute(out, [*sources, *summed])
    extents = {kept[source]: x.shape[source] for source in sources}
    return ctx.broadcast(ctx.reshape(out, [extents.get(axis, 1) for axis in range(len(shape))]), shape)


def collected(
    ctx: Context, x: Ref, rows: Sequence[Row], place: int, shape: tuple[int, ...], *, reverse: bool
) -> list[Ref]:
    """What a collected value (time first) reads of slices of ``x`` (time first), by the lags' forms."""
    length = shape[0]
    parts = []
    for aligned, steps in by_form(rows, place).items():
        amap: AxisMap = Suffix() if reverse else Prefix()
        if len(steps) < length:
            back = [[t + d if reverse else t - d for d in steps] for t in range(length)]
            amap = Table.of_rows([sorted(s for s in row if 0 <= s < length) for row in back], length)
        read = ctx.along(x, {0: (amap, length)})
        shifted = frozenset({(0, 0), *((axis + 1, source + 1) for axis, source in aligned)})
        parts.append(shaped(ctx, read, shifted, shape))
    return parts


def everywhere(
    ctx: Context,
    x: Ref,
    rows: Sequence[Row],
    place: int,
    shape: tuple[int, ...],
    *,
    reverse: bool,
    since: bool,
) -> list[Ref]:
    """What a collected value (time first) reads of one tensor in the steps that have a form.

    ``since`` the first of them on, or in those alone.
    """
    length = shape[0]
    parts = []
    for aligned, steps in by_form(rows, place).items():
        mask = np.zeros(length, np.bool_)
        mask[range(steps[0], length) if since else steps] = True
        shifted = frozenset((axis + 1, source) for axis, source in aligned)
        wide = shaped(ctx, x, shifted, shape)
        parts.append(
            wide if mask.all() else ctx.along(wide, {0: (admitted(mask[::-1] if reverse else mask), length)})
        )
    return parts


def last(
    ctx: Context, x: Ref, rows: Sequence[Row], place: int, shape: tuple[int, ...], *, reverse: bool
) -> list[Ref]:
    """What a carried value reads, after all steps, of slices of ``x`` (time first)."""
    length = x.shape[0]
    parts = []
    for aligned, steps in by_form(rows, place).items():
        times = sorted(d if reverse else length - 1 - d for d in steps)
        amap: AxisMap = All() if len(times) == length else Table.of_rows([times], length)
        read = ctx.along(x, {0: (amap, 1)})
        parts.append(shaped(ctx, ctx.reshape(read, x.shape[1:]), aligned, shape))
    return parts


def start(shapes: Sequence[tuple[int, ...]], which: int) -> Row:
    """What carried values read of the first one of them, before any step."""
    return tuple(identity(shape) if place == which else None for place, shape in enumerate(shapes))
