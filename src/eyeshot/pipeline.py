"""The waist: from a model or a reference to a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyeshot.errors import InputError
from eyeshot.fields.report import Report, spatial_axes
from eyeshot.frontends.registry import Request, frontend_for
from eyeshot.graph.verify import verify
from eyeshot.jobs import uncollected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eyeshot.frontends.registry import OnUnknown


def analyze(
    model: Any,
    input_size: Sequence[int] | None = None,
    *,
    inputs: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    input: str | None = None,  # noqa: A002 - the field's word
    layout: str | None = None,
    on_unknown: OnUnknown = "error",
    weights: str | None = None,
) -> Report:
    """Find the field of every unit of every tensor of a network.

    Parameters
    ----------
    model
        A ``torch.nn.Module``, or a reference: ``timm:NAME``, ``torchvision:NAME``, ``package.module:factory``.
    input_size
        Shape of the one input, batch and channels included; a reference may know its own.
    inputs, kwargs
        Example tensors instead: any pytree of arguments, and keyword arguments. Only shapes and dtypes matter, unless
        the model's control flow depends on the data.
    input
        The input that the report is about; the first by default.
    layout
        Axis letters of that input where the default for its rank is wrong: ``"NHWC"``.
    on_unknown
        ``"error"`` refuses ops without a lowering, all listed; ``"dense"`` lets them read everything, flagged.
    weights
        A ``.safetensors`` file to load into a referenced model.

    Raises
    ------
    EyeshotError
        a typed error that names the cause and the remedy (:mod:`eyeshot.errors`).
    """
    request = Request(model, tuple(input_size) if input_size else None, inputs, kwargs, on_unknown, weights)
    with uncollected():
        reading = frontend_for(model).read(request)
        graph = reading.graph
        verify(graph)
    if not graph.inputs:
        raise InputError(f"{reading.name} ran without any tensor input, so there is nothing to see")
    if input is not None and input not in graph.inputs:
        raise InputError(f"{reading.name} has no input {input!r}; its inputs are {', '.join(graph.inputs)}")
    about = input or next(iter(graph.inputs))
    axes = {
        name: spatial_axes(
            graph.nodes[node].shape, name, (layout if name == about else None) or reading.layouts.get(name)
        )
        if name == about or graph.nodes[node].shape
        else spatial_axes((1,), name)
        for name, node in graph.inputs.items()
    }
    return Report(
        graph, reading.name, axes, input_=about, provenance=reading.provenance, enlarged=reading.enlarged
    )
