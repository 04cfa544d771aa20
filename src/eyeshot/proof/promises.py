"""Promises that a model's test suite can make: assertions about what units see, each with a counterexample.

Users import them from :mod:`eyeshot.testing`. All of this file loads without a framework or NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from eyeshot.errors import InputError, QuestionError
from eyeshot.proof.broken import PromiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


def assert_sees(
    model: Any,
    layer: str,
    size: int | Sequence[int | None],
    *,
    stride: int | Sequence[int | None] | None = None,
    view: View | None = None,
    axes: str | None = None,
    **how: Unpack[Reading],
) -> None:
    """A layer sees at least ``size`` elements of the input along each axis, as on an input without borders.

    Parameters
    ----------
    model
        A module, a reference, or a report.
    layer
        A module, tensor or output, by the name that a report has for it.
    size
        For all axes, or one entry an axis; None promises nothing there. Holes in a field do not count against it.
    stride
        The input elements that the field moves a unit: exactly, where given.
    view
        ``"local"`` leaves out global context, such as squeeze-and-excitation gates; by default all counts.
    axes
        The axes of the input that this is about, as for `eyeshot.analyze`; the spatial ones by default.
    how
        The other options of `eyeshot.analyze`, such as ``input_size``.

    Raises
    ------
    PromiseError
        an `AssertionError`, where the model does not keep this, or where over-approximated ops alone would.

    Examples
    --------
    >>> assert_sees("timm:resnet50", "layer4", size=400, input_size=(1, 3, 224, 224))
    """
    __tracebackhide__ = True
    from eyeshot.proof.breaches import too_small

    report = _report(model, axes, view, how)
    wanted, strides = _each(size, report, "size"), _each(stride, report, "stride")
    shown = f"size={size}" + (f", stride={stride}" if stride is not None else "")
    _settle(
        f"assert_sees({report.model}, {layer!r}, {shown})",
        report,
        lambda each: too_small(each[layer], wanted, strides),
        least=True,
    )


def assert_causal(
    model: Any,
    axis: str = "time",
    *,
    lookahead: int = 0,
    layer: str | None = None,
    output_axis: int | None = None,
    **how: Unpack[Reading],
) -> None:
    """No unit sees an input that comes after it along ``axis``, or more than ``lookahead`` elements after.

    Unit y stands for the inputs [S·y, S·(y+1)), S the stride of its field: with S = 1 it sees none beyond y + lookahead.
    A network that drops the start of its input (convolutions without padding) looks ahead by as much in these terms.

    Parameters
    ----------
    axis
        One axis of the input: ``"time"``, ``"tokens"``, or a letter of its layout (``layout="NTC"`` for tokens).
    layer
        The tensor that this is about; every output by default.
    output_axis
        The axis of that tensor, where it does not follow from how its fields move.

    Raises
    ------
    PromiseError
        an `AssertionError`, where the model does not keep this.
    QuestionError
        where the tensor has no axis that goes with ``axis``.

    Examples
    --------
    >>> assert_causal(decoder, layout="NTC", input_size=(1, 64, 512))
    """
    __tracebackhide__ = True
    from eyeshot.proof.breaches import looks_ahead
    from eyeshot.proof.evidence import placed

    report = _report(model, axis, None, how)
    if len(report.axes) != 1:
        raise QuestionError(
            f"axis={axis!r} are the axes {report.axes} of {report.input!r}: causality is about one"
        )
    places = [None if field.empty else placed(field, 0, output_axis) for field in _fields(report, layer)]
    _settle(
        f"assert_causal({report.model}, {axis!r}, lookahead={lookahead})",
        report,
        lambda each: _first(
            looks_ahead(field, place, lookahead)
            for field, place in zip(_fields(each, layer), places, strict=True)
            if place is not None
        ),
    )


def assert_batch_independent(
    model: Any, *, layer: str | None = None, output_axis: int | None = None, **how: Unpack[Reading]
) -> None:
    """No unit of a sample sees another sample of the batch.

    An axis with as many rows as there are samples must see sample n at row n; on an axis of another extent (batch and
    time in one), each row must see one sample alone.

    Parameters
    ----------
    layer
        The tensor that this is about; every output by default.
    output_axis
        Its batch axis; any axis that fits by default.

    Raises
    ------
    PromiseError
        an `AssertionError`, where the model does not keep this: batch norm in train mode, a reshape across samples.
    InputError
        for a batch of one sample, where there is nothing to mix.

    Examples
    --------
    >>> assert_batch_independent(model.eval(), input_size=(2, 3, 224, 224))
    """
    __tracebackhide__ = True
    from eyeshot.proof.breaches import mixes

    report = _report(model, "batch", None, how)
    extents = [report.input_shape[axis] for axis in report.spatial[report.input].axes]
    if extents[0] < 2:
        raise InputError(
            f"{report.input!r} has shape {report.input_shape}: samples can only mix in a batch of 2 or more; pass an "
            "input_size (or inputs) with a larger batch"
        )
    _settle(
        f"assert_batch_independent({report.model})",
        report,
        lambda each: _first(mixes(field, output_axis) for field in _fields(each, layer)),
    )


def assert_local(
    model: Any,
    layer: str | None = None,
    *,
    halo: Halo,
    view: View | None = None,
    axes: str | None = None,
    **how: Unpack[Reading],
) -> None:
    """No unit sees further than ``halo`` from its place: unit y stays in [S·y − low, S·(y+1) + high), S its stride.

    That is what lets a layer be computed in tiles. It is checked by the law, at any input size, and by every unit's box
    at this one.

    Parameters
    ----------
    layer
        The tensor that this is about; every output by default.
    halo
        Elements on both sides of every axis; ``(low, high)``; or one such pair an axis.
    view
        ``"local"`` leaves out global context, such as squeeze-and-excitation gates; by default all counts.

    Raises
    ------
    PromiseError
        an `AssertionError`, where the model does not keep this. Layers that see the whole input never do.
    QuestionError
        where units have no place along an axis of the input.

    Examples
    --------
    >>> assert_local(unet, halo=94, input_size=(1, 3, 512, 512))
    """
    __tracebackhide__ = True
    from eyeshot.proof.breaches import spreads, unbounded
    from eyeshot.proof.evidence import all_placed

    report = _report(model, axes, view, how)
    halos = _halos(halo, report)

    def find(each: Report) -> Breach | None:
        for field in _fields(each, layer):
            if field.empty:
                continue
            whole = [axis for axis, law in enumerate(field.law) if law.unbounded]
            if whole:
                return unbounded(field, whole[0])
            breach = spreads(field, all_placed(field), halos)
            if breach is not None:
                return breach
        return None

    def hint() -> tuple[str, ...]:
        kept = report.shown == "full" and find(report.view("local")) is None
        return ('without global context the promise is kept (view="local")',) if kept else ()

    name = "" if layer is None else f"{layer!r}, "
    _settle(f"assert_local({report.model}, {name}halo={halo})", report, find, hint=hint)


def assert_same_field(
    first: Any,
    second: Any,
    layer: str | tuple[str, str] | None = None,
    *,
    units: int = 16,
    view: View | None = None,
    axes: str | None = None,
    **how: Unpack[Reading],
) -> None:
    """Two models, or two layers, see the same: size, stride, offset and phases, all boxes, and the masks of some units.

    Boxes are compared where the tensors have one shape, masks where the inputs have the same extents: of ``units`` units,
    unless the boxes are known to be the masks. Ops that over-approximate are compared by what they may read.

    Parameters
    ----------
    first, second
        Modules, references, reports, or fields (``report["layer1"]``).
    layer
        The tensor in both, or one name for each; their outputs by default. Not beside fields.

    Raises
    ------
    PromiseError
        an `AssertionError`, where they differ. It names the first module that differs where both have it by that name.

    Examples
    --------
    >>> assert_same_field(plain, fused, input_size=(1, 3, 64, 64))
    >>> assert_same_field(report["branch1"], report["branch2"])
    """
    __tracebackhide__ = True
    from eyeshot.fields import Field
    from eyeshot.proof.differences import differs, first_unlike

    if isinstance(first, Field) and isinstance(second, Field):
        breach = differs(first, second, units)
        if breach is not None:
            raise _error("assert_same_field(first, second)", breach)
        return
    if isinstance(first, Field) or isinstance(second, Field):
        raise InputError("a field is compared with a field: take both from a report, report[layer]")
    one = _report(first, axes, view, how)
    other = one if first is second else _report(second, axes, view, how)
    names = layer if isinstance(layer, tuple) else (layer, layer)
    pairs = _fields(one, names[0]), _fields(other, names[1])
    if len(pairs[0]) != len(pairs[1]):
        raise QuestionError(
            f"{one.model} has {len(pairs[0])} outputs and {other.model} has {len(pairs[1])}: name the layer to compare"
        )
    breach = _first(differs(*pair, units) for pair in zip(*pairs, strict=True))
    if breach is not None:
        since = first_unlike(one, other) if names[0] == names[1] else None
        notes = (f"first of all, {since}",) if since else ()
        named = "" if layer is None else f", {layer!r}"
        raise _error(f"assert_same_field({one.model}, {other.model}{named})", breach, notes)


def assert_independent(
    model: Any,
    layer: str | None = None,
    *,
    unit: Sequence[int | slice | None] | None = None,
    element: Sequence[int | slice | None] | None = None,
    **how: Unpack[Reading],
) -> None:
    """No unit of a layer sees the input; or, of the units ``unit``, none sees the elements ``element``.

    Parameters
    ----------
    layer
        The tensor that this is about; every output by default.
    unit, element
        Full indices, with None for all places along an axis and slices for some; everything by default.
    how
        The other options of `eyeshot.analyze`; ``input`` names the input that is not to be seen.

    Raises
    ------
    PromiseError
        an `AssertionError`, where the model does not keep this.

    Examples
    --------
    >>> assert_independent(model, "mask_head", input="text", inputs=(image, text))
    """
    __tracebackhide__ = True
    from eyeshot.proof.breaches import depends

    report = _report(model, None, None, how)
    place = element if element is not None else (None,) * len(report.input_shape)

    def find(each: Report) -> Breach | None:
        return _first(
            depends(f, unit if unit is not None else (None,) * len(f.shape), place)
            for f in _fields(each, layer)
        )

    _settle(f"assert_independent({report.model})", report, find)


def _report(model: Any, axes: str | None, view: View | None, how: Reading) -> Report:
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


def _fields(report: Report, layer: str | None) -> list[Field]:
    return report.outputs if layer is None else [report[layer]]


def _first(breaches: Any) -> Breach | None:
    return next((breach for breach in breaches if breach is not None), None)


def _each(value: Any, report: Report, name: str) -> tuple[Any, ...]:
    """One value for every axis, or those given."""
    rank = len(report.axes)
    if value is None or hasattr(value, "__index__"):
        return (value,) * rank
    if len(value) != rank:
        raise QuestionError(
            f"{name}={value} has {len(value)} entries, and {report.input!r} {rank} axes ({report.axes})"
        )
    return tuple(value)


def _halos(halo: Halo, report: Report) -> list[tuple[int, int]]:
    if isinstance(halo, int):
        return [(halo, halo)] * len(report.axes)
    if len(halo) == 2 and all(isinstance(side, int) for side in halo):
        low, high = halo
        return [(low, high)] * len(report.axes)  # type: ignore[list-item]
    return list(_each(halo, report, "halo"))


def _settle(
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
    raise _error(promise, shown, (*hint(), *report.notes), report if None in {upper, lower} else None)


def _error(
    promise: str, breach: Breach, notes: Sequence[str] = (), doubtful: Report | None = None
) -> PromiseError:
    """The error of a breach; ``doubtful`` is the report where over-approximation alone breaks the promise."""
    from eyeshot.graph.reasons import REASONS

    lines = [breach.measured, f"promised: {promise}"]
    if breach.example is not None:
        lines.append(str(breach.example))
    lines += [f"note: {note}" for note in (*breach.notes, *notes)]
    if doubtful is not None:
        codes = sorted({node.reason for node in doubtful.graph.nodes if node.reason is not None})
        lines.append("not certain: only ops that are over-approximated break this promise")
        lines += [f"    {code}: {REASONS.get(code, 'no more is known')}" for code in codes]
    error = PromiseError("\n".join(lines))
    error.counterexample = breach.example
    error.certain = doubtful is None and breach.confirmed
    return error
