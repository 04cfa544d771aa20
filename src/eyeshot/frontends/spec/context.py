"""What a lowering works with: a builder that knows the op at hand, counts what it costs, and keeps to limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from eyeshot.errors import SpecError
from eyeshot.frontends.spec.faults import fault
from eyeshot.frontends.spec.printing import op_text
from eyeshot.frontends.spec.tree import Op
from eyeshot.frontends.spec.words import windows
from eyeshot.graph import Builder
from eyeshot.relations import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.frontends.spec.tree import Spec, Step
    from eyeshot.frontends.spec.words import Numbers
    from eyeshot.graph import Ref
    from eyeshot.graph.graph import Shape

LONGEST_AXIS = 1_000_000
"""Elements of one axis."""

TAPS = 10_000_000
"""Places that the windows or tables of one axis may read, all their outputs together."""

TABLES = 5_000_000
"""Entries of all tables (resizes, reflections, causal attention) together."""


class Context(Builder):
    """A builder with the step that is being lowered; ``macs`` and ``parameters`` are what its op costs."""

    def __init__(self, spec: Spec, rank: int) -> None:
        super().__init__()
        self.spec = spec
        self.rank = rank
        self.step: Step
        self.macs = 0
        self.parameters = 0
        self._entries = 0

    def refuse(self, problem: str, step: Step | None = None) -> NoReturn:
        """Raise for the step at hand, or another, at its place in the text if it has one."""
        step = step or self.step
        if step.at is not None and self.spec.source:
            raise fault(self.spec.source, step.at, problem)
        raise SpecError(f"{op_text(step.body)}: {problem}" if isinstance(step.body, Op) else problem)

    def costs(self, parameters: int, macs: int = 0) -> None:
        """Add to what the step at hand costs."""
        self.parameters += parameters
        self.macs += macs

    def charge(self, entries: int) -> None:
        """Count the entries of a table before it is made."""
        self._entries += entries
        if self._entries > TABLES:
            self.refuse(f"tables of more than {TABLES:,} entries: the input is too large for this op")

    def spatial(self, x: Ref) -> Shape:
        """The extents of the spatial axes."""
        if len(x.shape) != self.rank + 2:
            self.refuse(
                f"there are no spatial axes left here (the tensor has shape {x.shape}); it was flattened"
            )
        return x.shape[2:]

    def channels(self, op: Op, x: Ref) -> int:
        """Those written, else as many as come in."""
        return x.shape[1] if op.channels is None else op.channels

    def numbers(self, op: Op) -> list[Numbers]:
        """The op's window along each axis."""
        return windows(op, self.rank)

    def extents(self, numbers: Sequence[Numbers], x: Ref, *, ceil: bool = False) -> tuple[int, ...]:
        """What sliding windows leave of the spatial axes; with ``ceil`` a last window may hang over the end."""
        found = []
        for each, n in zip(numbers, self.spatial(x), strict=True):
            room = n + each.before + each.after - each.span
            if room < 0:
                self.refuse(
                    f"a window of {each.span} is longer than the {n} elements (and {each.before + each.after} of "
                    "padding) that are left; use a larger input, less stride or more padding"
                )
            steps = -(-room // each.stride) if ceil else room // each.stride
            if ceil and steps * each.stride >= n + each.before:
                steps -= 1
            found.append(steps + 1)
            self.fits(steps + 1, each.kernel)
        return tuple(found)

    def fits(self, extent: int, taps: int = 1) -> None:
        """Refuse an axis, or what is read along it, that is too long."""
        if not 0 < extent <= LONGEST_AXIS:
            self.refuse(f"an axis of {extent:,} elements; they have 1 to {LONGEST_AXIS:,}")
        if extent * taps > TAPS:
            self.refuse(
                f"{extent:,} outputs with {taps:,} taps read more than {TAPS:,} places along one axis"
            )

    def sliding(self, numbers: Sequence[Numbers]) -> list[Window]:
        """The axis maps of windows."""
        return [Window(each.kernel, each.stride, each.dilation, each.before) for each in numbers]
