"""From a model to the report that a promise is about, and from a breach to the error; loads no framework and no NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from eyeshot.errors import InputError, QuestionError
from eyeshot.proof.broken import PromiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from eyeshot.fields import Field, Report
    from eyeshot.fields.field import View
    from eyeshot.frontends.registry import OnUnknown
    from eyeshot.proof.evidence import Breach

    Halo = int | tuple[int, int] | Sequence[tuple[int, int]]


class Reading(TypedDict, total=False):
    """How to read the model: the options of `eyeshot.analyze`; none beside a report."""

    input_size: Sequence[int]
    inputs: Any
    kwargs: Mapping[str, Any]
    input: str
    layout: str | Mapping[str, str]
    on_unknown: OnUnknown
    weights: str


def report_of(model: Any, axes: str | None, view: View | None, how: Reading) -> Report:
    """The report that a promise is about, of a model or as given."""
    from eyeshot.fields import Report
    from eyeshot.pipeline import analyze

    if isinstance(model, Report):
        if how:
            raise InputError(
                f"{', '.join(how)} say how to read a model, and a report has been read: leave them out"
            )
        report = model.about(model.input, axes)
    else:
        report = analyze(model, axes=axes or "spatial", **how)
    return report.view(view) if view is not None else report


def fields_of(report: Report, layer: str | None) -> list[Field]:
    """The layer that was named, or all outputs."""
    return report.outputs if layer is None else [report[layer]]


def first_of(breaches: Iterable[Breach | None]) -> Breach | None:
    """The first breach, where there is one."""
    return next((breach for breach in breaches if breach is not None), None)


def each_axis(value: Any, report: Report, name: str) -> tuple[Any, ...]:
    """One value for every axis, or those given."""
    rank = len(report.axes)
    if value is None or hasattr(value, "__index__"):
        return (value,) * rank
    if len(value) != rank:
        raise QuestionError(
            f"{name}={value} has {len(value)} entries, and {report.input!r} {rank} axes ({report.axes})"
        )
    return tuple(value)


def halos_of(halo: Halo, report: Report) -> list[tuple[int, int]]:
    """A (low, high) for every axis."""
    if isinstance(halo, int):
        return [(halo, halo)] * len(report.axes)
    if len(halo) == 2 and all(isinstance(side, int) for side in halo):
        low, high = halo
        return [(low, high)] * len(report.axes)  # type: ignore[list-item]
    return list(each_axis(halo, report, "halo"))


def settle(
    promise: str,
    report: Report,
    find: Callable[[Report], Breach | None],
    *,
    least: bool = False,
    hint: Callable[[], tuple[str, ...]] = tuple,
) -> None:
    """Raise where a promise is broken. ``least`` promises hold only if they hold without the over-approximated ops."""
    __tracebackhide__ = True
    from eyeshot.proof.evidence import certain

    upper = find(report)
    if upper is None and not least:
        return
    sure = certain(report)
    lower = upper if sure is report else find(sure)
    if lower is None and least:
        return
    shown = (upper or lower) if least else (lower or upper)
    assert shown is not None
    raise error_of(promise, shown, (*hint(), *report.notes), report if None in {upper, lower} else None)


def error_of(
    promise: str, breach: Breach, notes: Sequence[str] = (), doubtful: Report | None = None
) -> PromiseError:
    """The error of a breach; ``doubtful`` is the report where over-approximation alone breaks the promise."""
    from eyeshot.graph.reasons import REASONS

    lines = [breach.measured, f"promised: {promise}"]
    if breach.example is not None:
        lines.append(str(breach.example))
    lines += [f"note: {note}" for note in (*breach.notes, *notes)]
    if not breach.confirmed:
        lines.append("not certain: the box of a unit breaks this promise, its mask does not (many-terms)")
        lines.append(f"    many-terms: {REASONS['many-terms']}")
    if doubtful is not None:
        codes = sorted({node.reason for node in doubtful.graph.nodes if node.reason is not None})
        lines.append("not certain: only ops that are over-approximated break this promise")
        lines += [f"    {code}: {REASONS.get(code, 'no more is known')}" for code in codes]
    error = PromiseError("\n".join(lines))
    error.counterexample = breach.example
    error.certain = doubtful is None and breach.confirmed
    return error
