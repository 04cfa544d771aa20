"""A recurrence as rows and sentences: what text, Markdown and LaTeX show alike."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from eyeshot.analyses.route import owners_of
from eyeshot.analyses.walk import Walk
from eyeshot.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.analyses.recurrence import Join, Recurrence, Step
    from eyeshot.fields import Field, Report

    Unit = tuple[int | None, ...]

RULE = ("k_eff = d⋅(k − 1) + 1", "R ← s⋅R + k_eff − s", "S ← s⋅S", "P ← s⋅P + p")
LONGEST = 100_000
"""Units of an axis that are gone through to find those that a border cuts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One layer of a walk, or a run of layers with equal windows of stride 1, from the one nearest the unit.

    ``before`` is the step before the first of them, None at the unit itself.
    """

    steps: tuple[Step, ...]
    before: Step | None
    names: str
    joins: str

    @property
    def last(self) -> Step:
        """The one nearest the input."""
        return self.steps[-1]

    @property
    def window(self) -> str:
        """``5× k3 s2 d2 p1``, with what is 1 or 0 left out."""
        step = self.last
        times = f"{len(self.steps)}× " if len(self.steps) > 1 else ""
        if step.whole:
            return "all of it"
        if step.kernel is None:
            return f"s{step.stride}, {step.phases} phases" if step.stride != 1 else f"{step.phases} phases"
        parts = [f"s{step.stride}"] if step.stride != 1 else []
        parts += [f"d{step.dilation}"] if step.dilation != 1 else []
        parts += [f"p{signed(step.padding)}"] if step.padding else []
        return times + " ".join([f"k{step.kernel}", *parts])

    @property
    def size(self) -> str:
        """R with the numbers put in."""
        first, last = self.steps[0], self.last
        if last.whole:
            return f"{last.size}"
        if last.kernel is None:
            return f"{first.before} → {last.size}"
        if len(self.steps) > 1:
            return f"{first.before} + {len(self.steps)}⋅{last.span - 1} = {last.size}"
        return f"{last.stride}⋅{first.before} + {last.span} − {last.stride} = {last.size}"

    @property
    def jump(self) -> str:
        """S with the numbers put in."""
        older = Fraction(1) if self.before is None else self.before.jump
        step, jump = self.last.stride, self.last.jump
        return f"{jump}" if step in {0, 1} else f"{factor(step)}⋅{factor(older)} = {jump}"

    @property
    def offset(self) -> str:
        """P with the numbers put in."""
        older = Fraction(0) if self.before is None else self.before.offset
        last, times = self.last, len(self.steps)
        if last.kernel is None:
            return signed(last.offset)
        if times > 1:
            return f"{signed(older)} + {times}⋅{signed(last.padding)} = {signed(last.offset)}"
        return f"{last.stride}⋅{factor(older)} + {signed(last.padding)} = {signed(last.offset)}"

    @property
    def center(self) -> str:
        """The middle of what unit y sees here."""
        return affine(self.last.jump, -self.last.offset + Fraction(self.last.size - 1, 2))


@dataclass(frozen=True, slots=True)
class Way:
    """The walk along some axes of the input that are alike (``letters``)."""

    letters: tuple[str, ...]
    recurrence: Recurrence
    rows: tuple[Row, ...]
    sentences: tuple[str, ...]


class Explained:
    """How the field of a layer, or of one of its units, comes about; ``ways`` has one walk for axes that are alike.

    Raises QuestionError where there is no such layer or unit, or the layer reads nothing of the input.
    """

    def __init__(self, report: Report, layer: str | None = None, unit: Unit | None = None) -> None:
        self.report = report
        self.field: Field = report.outputs[0] if layer is None else report[layer]
        self.unit = unit
        if self.field.empty:
            raise QuestionError(
                f"{self.field.name!r} reads nothing of {report.input!r}, so there is nothing to explain"
            )
        if unit is not None:
            self.box = self.field.at(*unit)

    @property
    def title(self) -> str:
        """The layer, or its unit, with model and input."""
        shape = "x".join(map(str, self.report.input_shape))
        unit = ",".join("*" if each is None else str(each) for each in self.unit or ())
        unit = f"[{unit}]" if unit else ""
        return f"{self.field.name}{unit} of {self.report.model} on {self.report.input} {shape}"

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        """The walks, axes in the input's order."""
        field, source = self.field, self.field.source
        local = field.view == "local"
        alike: dict[Recurrence, list[int]] = {}
        for axis in range(len(source.axes)):
            walk = Walk(source.graph, source.laws, source.node, axis, local=local)
            alike.setdefault(walk.recurrence(field.node, self.unit), []).append(axis)
        return tuple(self._way(recurrence, axes) for recurrence, axes in alike.items())

    @property
    def shown(self) -> str:
        """Which field it is, in words."""
        return "full field" if self.report.shown == "full" else "local field (without global context)"

    @cached_property
    def owners(self) -> list[str]:
        """Names of nodes."""
        return owners_of(self.report.graph)

    def name(self, node: int) -> str:
        """What users know a node by."""
        return self.owners[node] if node < len(self.owners) else self.field.name

    def _way(self, recurrence: Recurrence, axes: Sequence[int]) -> Way:
        rows: list[Row] = []
        held: list[Step] = []
        before: Step | None = None
        for step in _told(recurrence):
            if held and not _alike(held[-1], step):
                rows.append(self._row(held, before))
                before, held = held[-1], []
            held.append(step)
        if held:
            rows.append(self._row(held, before))
        letters = tuple(self.field.source.asked.letters[axis] for axis in axes)
        return Way(letters, recurrence, tuple(rows), tuple(self._sentences(recurrence, axes[0], letters)))

    def _row(self, steps: list[Step], before: Step | None) -> Row:
        names = [self.name(step.node) for step in steps]
        shown = names[0] if len(names) == 1 else f"{names[0]} … {_shortened(names[0], names[-1])}"
        return Row(tuple(steps), before, shown, self._joined([join for step in steps for join in step.joins]))

    def _joined(self, joins: Sequence[Join]) -> str:
        """Where branches met, and by how much the one that is followed sees more."""
        if not joins:
            return ""
        names = list(dict.fromkeys(self.name(join.node) for join in joins))
        where = names[0] if len(names) == 1 else f"{names[0]} … {_shortened(names[0], names[-1])}"
        gains = [join.by for join in joins if join.by is not None]
        if not gains:
            return f"{where}: global"
        each = " each" if len(joins) > 1 else ""
        gain = f"{min(gains)} to {max(gains)}" if min(gains) < max(gains) else f"{gains[0]}{each}"
        wider = max(join.wider for join in joins)
        return f"{where}: +{gain}" + (f" (all together {wider} more)" if wider else "")

    # Sentences

    def _sentences(self, found: Recurrence, axis: int, letters: Sequence[str]) -> list[str]:
        law, name = found.law, self.field.name
        along = " and ".join(letters)
        said = []
        last = self._joined(found.joins)
        if found.end == "global":
            said.append(
                f"{self.name(found.last)} reads the whole of {along}, at any input size: from there on R has no bound"
                + (f" (branches met at {last})." if last else ".")
            )
            said += self._without_context(axis, along)
        elif found.end == "no law":
            said += [f"{self.name(found.last)} ends the recurrence: {found.why}.", self._widest(axis, along)]
        elif found.end == "lost":
            said.append(f"{self.name(found.last)} regroups positions, which one recurrence cannot follow.")
            if law.size is None and not law.unbounded:
                said += [f"The graph as a whole has no law: {law.why}.", self._widest(axis, along)]
        elif last:
            said.append(f"Branches met on the way: {last}.")
        if law.size is not None:
            said += self._totals(found, axis)
        if any(step.at_size for step in found.steps) or law.at_size:
            said.append("Some of these numbers hold at this input size only.")
        if self.unit is not None:
            said += self._unit(found, axis, along)
        elif law.size is not None and found.end in {"input", "lost"}:
            said += self._borders(found, axis, name)
        return said

    def _widest(self, axis: int, along: str) -> str:
        size, extent = self.field.size[axis], self.field.source.extents[axis]
        return f"At this input size the widest unit sees {size} of {extent} elements along {along}."

    def _totals(self, found: Recurrence, axis: int) -> list[str]:
        law = found.law
        assert law.size is not None
        assert law.offset is not None
        step = Fraction(law.stride or 0)
        start = affine(step, Fraction(law.offset))
        middle = affine(step, Fraction(law.offset) + Fraction(law.size - 1, 2))
        numbers = f"R = {law.size}, S = {step}, P = {signed(-Fraction(law.offset))}"
        interval = f"[{start}, {start} + {law.size}), around {start} + ({law.size} − 1)/2 = {middle}"
        said = [f"{numbers}: unit y sees {interval}."]
        if len(set(law.phases)) > 1:
            shown = ", ".join(
                f"{size} from {affine(step, Fraction(offset))}" for offset, size in law.phases[:4]
            )
            more = ", …" if len(law.phases) > 4 else ""
            said.append(
                f"Units differ in {len(law.phases)} phases ({shown}{more}): R is the largest, P of the first."
            )
        if found.end == "input" and found.steps and found.steps[-1].size != law.size:
            seen = found.steps[-1].size
            said.append(
                f"The followed branch alone sees {seen}; branches with other middles meet it, and all see {law.size}."
                if seen < law.size
                else f"Counted without the holes that units have on the way, R would be {seen}; it is {law.size}."
            )
        return said

    def _without_context(self, axis: int, along: str) -> list[str]:
        if self.report.shown == "local":
            return []
        near = self.field.source.law(self.field.node, axis, local=True)
        if near.size is None:
            return []
        return [f"Without global context R = {near.size} along {along}: the local view shows how."]

    def _unit(self, found: Recurrence, axis: int, along: str) -> list[str]:
        """What the one unit sees, and where on the way a border first cuts it."""
        start, stop, ideal = self.box.start[axis], self.box.stop[axis], self.box.unclipped
        if self.box.empty:
            return ["This unit sees nothing of the input."]
        if ideal is None:
            return [f"This unit sees [{start}, {stop}) along {along}: {stop - start} elements."]
        if (ideal.start[axis], ideal.stop[axis]) == (start, stop):
            return [
                f"This unit sees [{start}, {stop}) along {along}: {stop - start} elements, cut by no border."
            ]
        cut = next((step for step in found.steps if step.seen != step.clipped), None)
        return [
            f"This unit would see [{signed(ideal.start[axis])}, {signed(ideal.stop[axis])}) along {along}; the borders cut "
            f"that to [{start}, {stop}), {stop - start} elements."
            + (f" Clipping sets in at {self.name(cut.node)}." if cut else "")
        ]

    def _borders(self, found: Recurrence, axis: int, name: str) -> list[str]:
        """Which units lie wholly inside the input."""
        law, extent, units = found.law, self.field.source.extents[axis], found.units
        if law.stride is None or not law.phases or units is None or units > LONGEST:
            return []
        inside = []
        for y in range(units):
            offset, size = law.phases[y % len(law.phases)]
            start = law.stride * y + offset
            if start >= 0 and start + size <= extent:
                inside.append(y)
        if not inside:
            return [f"At this input size the borders cut the fields of all {units} units of {name}."]
        if len(inside) == units:
            return ["No border cuts the field of any unit."]
        return [
            f"Of units 0 to {units - 1}, {inside[0]} to {inside[-1]} see all of it; the borders cut the others."
        ]


def _told(found: Recurrence) -> tuple[Step, ...]:
    """The steps that say something: of a global field those up to where it takes in a whole axis."""
    wholes = [place for place, step in enumerate(found.steps) if step.whole]
    return found.steps[: wholes[0] + 1] if wholes and found.law.unbounded else found.steps


def _alike(one: Step, other: Step) -> bool:
    window = one.kernel, one.stride, one.dilation, one.padding
    return one.stride == 1 and one.kernel is not None and window == (
        other.kernel, other.stride, other.dilation, other.padding
    )  # fmt: skip


def _shortened(first: str, other: str) -> str:
    """A name without the modules that it shares with the one before."""
    ones, others = first.split("."), other.split(".")
    while len(others) > 1 and ones[:1] == others[:1]:
        ones, others = ones[1:], others[1:]
    return ".".join(others)


def signed(value: int | Fraction) -> str:
    """A number with a real minus sign."""
    return f"−{-value}" if value < 0 else f"{value}"


def factor(value: Fraction) -> str:
    """A number inside a product."""
    return signed(value) if value >= 0 and value.denominator == 1 else f"({signed(value)})"


def affine(step: Fraction, constant: Fraction) -> str:
    """``2⋅y − 3/2``."""
    moving = "" if not step else "y" if step == 1 else f"{factor(step)}⋅y"
    if not moving:
        return signed(constant)
    if not constant:
        return moving
    return f"{moving} {'−' if constant < 0 else '+'} {abs(constant)}"
