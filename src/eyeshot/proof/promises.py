"""Promises that a model's test suite can make: assertions about what units see, each with a counterexample.

Users import them from :mod:`eyeshot.testing`. All of this file loads without a framework or NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from eyeshot.errors import InputError, QuestionError
from eyeshot.proof.settling import (
    Reading,
    each_axis,
    error_of,
    fields_of,
    first_of,
    halos_of,
    report_of,
    settle,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.fields import Report
    from eyeshot.fields.field import View
    from eyeshot.proof.evidence import Breach
    from eyeshot.proof.settling import Halo


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

    report = report_of(model, axes, view, how)
    wanted, strides = each_axis(size, report, "size"), each_axis(stride, report, "stride")
    shown = f"size={size}" + (f", stride={stride}" if stride is not None else "")
    settle(
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

    report = report_of(model, axis, None, how)
    if len(report.axes) != 1:
        raise QuestionError(
            f"axis={axis!r} are the axes {report.axes} of {report.input!r}: causality is about one"
        )
    places = [None if field.empty else placed(field, 0, output_axis) for field in fields_of(report, layer)]
    settle(
        f"assert_causal({report.model}, {axis!r}, lookahead={lookahead})",
        report,
        lambda each: first_of(
            looks_ahead(field, place, lookahead)
            for field, place in zip(fields_of(each, layer), places, strict=True)
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

    report = report_of(model, "batch", None, how)
    extents = [report.input_shape[axis] for axis in report.spatial[report.input].axes]
    if extents[0] < 2:
        raise InputError(
            f"{report.input!r} has shape {report.input_shape}: samples can only mix in a batch of 2 or more; pass an "
            "input_size (or inputs) with a larger batch"
        )
    settle(
        f"assert_batch_independent({report.model})",
        report,
        lambda each: first_of(mixes(field, output_axis) for field in fields_of(each, layer)),
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

    report = report_of(model, axes, view, how)
    halos = halos_of(halo, report)

    def find(each: Report) -> Breach | None:
        for field in fields_of(each, layer):
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
    settle(f"assert_local({report.model}, {name}halo={halo})", report, find, hint=hint)


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
            raise error_of("assert_same_field(first, second)", breach)
        return
    if isinstance(first, Field) or isinstance(second, Field):
        raise InputError("a field is compared with a field: take both from a report, report[layer]")
    one = report_of(first, axes, view, how)
    other = one if first is second else report_of(second, axes, view, how)
    names = layer if isinstance(layer, tuple) else (layer, layer)
    pairs = fields_of(one, names[0]), fields_of(other, names[1])
    if len(pairs[0]) != len(pairs[1]):
        raise QuestionError(
            f"{one.model} has {len(pairs[0])} outputs and {other.model} has {len(pairs[1])}: name the layer to compare"
        )
    breach = first_of(differs(*pair, units) for pair in zip(*pairs, strict=True))
    if breach is not None:
        since = first_unlike(one, other) if names[0] == names[1] else None
        notes = (f"first module to differ: {since}",) if since else ()
        named = "" if layer is None else f", {layer!r}"
        raise error_of(f"assert_same_field({one.model}, {other.model}{named})", breach, notes)


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

    report = report_of(model, None, None, how)
    place = element if element is not None else (None,) * len(report.input_shape)

    def find(each: Report) -> Breach | None:
        return first_of(
            depends(f, unit if unit is not None else (None,) * len(f.shape), place)
            for f in fields_of(each, layer)
        )

    settle(f"assert_independent({report.model})", report, find)
