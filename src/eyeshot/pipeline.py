"""The waist: from a model or a reference to a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

from eyeshot.errors import FileFormatError, GraphError, InputError, legible
from eyeshot.fields.axes import input_axes
from eyeshot.fields.report import Report
from eyeshot.frontends.registry import OnUnknown, Request, frontend_for
from eyeshot.graph.names import LONGEST, make_legible
from eyeshot.graph.verify import verify
from eyeshot.jobs import uncollected

if TYPE_CHECKING:
    from collections.abc import Sequence


def analyze(
    model: Any,
    input_size: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    *,
    inputs: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    input: str | None = None,  # noqa: A002 - the field's word
    axes: str = "spatial",
    layout: str | Mapping[str, str] | None = None,
    on_unknown: OnUnknown = "error",
    weights: str | None = None,
    trust: bool = False,
) -> Report:
    """Find the field of every unit of every tensor of a network.

    Parameters
    ----------
    model
        A ``torch.nn.Module`` or ``ExportedProgram``, a Keras model, a JAX function or module; a file (``.onnx``, ``.pt2``,
        ``.keras``); a network in words (``"spec:conv3s2 > conv3"``, a :class:`Spec`, ``.yaml``); or a reference:
        ``timm:NAME``, ``torchvision:NAME``, ``package.module:factory``. A module is read in the mode it is in (call
        ``eval()`` first for inference) and is the same afterwards.
    input_size
        Shape of the one input, batch and channels included; a reference or a file may know its own. Shapes by name where
        a file declares several inputs.
    inputs, kwargs
        Example tensors instead: a tuple or list of positional arguments (each any pytree), or the only one; and keyword
        arguments, which may also stand beside ``input_size``. Only shapes and dtypes matter, unless the model's control
        flow depends on the data.
    input
        The input that the report is about; the first that is no scalar by default.
    axes
        The axes of the inputs that fields are about: ``"spatial"`` (all but batch and channels), ``"channels"``,
        ``"batch"``, ``"time"``, ``"tokens"``, ``"all"``, or letters of the layout.
    layout
        Axis letters of that input where the default for its rank is wrong: ``"NHWC"``, or ``"NTC"`` for tokens. Where
        several inputs need it, their names with letters for each.
    on_unknown
        ``"error"`` refuses ops without a lowering, all listed; ``"dense"`` lets them read everything, flagged.
    weights
        A ``.safetensors`` file to load into a referenced model.
    trust
        Open files that run code when they are opened (pickles, TorchScript), in a child process, and lift the limits on
        what other files may ask for: for files whose makers you know. ``docs/security.md`` has what is promised.

    Raises
    ------
    EyeshotError
        a typed error that names the cause and the remedy (:mod:`eyeshot.errors`).

    Examples
    --------
    >>> report = eyeshot.analyze("timm:resnet50", input_size=(1, 3, 224, 224))
    >>> report["layer4"].size
    (427, 427)
    """
    request = _request(model, input_size, inputs, kwargs, on_unknown, weights, trust=trust)
    with uncollected():
        reading = frontend_for(model).read(request)
        graph = reading.graph
        if reading.budget is not None:
            reading.budget.network(node.shape for node in graph.nodes)
        try:
            verify(graph)
        except GraphError as error:
            if reading.budget is None:
                raise
            raise FileFormatError(f"{reading.name} contradicts itself: {error}") from error
        if reading.budget is not None:
            reading.budget.maps(graph.nodes)
    make_legible(graph)
    called = legible(reading.name, LONGEST)
    told = {legible(name, LONGEST): letters for name, letters in reading.layouts.items()}
    if not graph.inputs:
        raise InputError(f"{called} ran without any tensor input, so there is nothing to see")
    if input is not None and input not in graph.inputs:
        raise InputError(f"{called} has no input {input!r}; its inputs are {', '.join(graph.inputs)}")
    about = input or next((name for name, node in graph.inputs.items() if graph.nodes[node].shape), None)
    if about is None or not graph.nodes[graph.inputs[about]].shape:
        raise InputError(
            f"every element of a scalar input is the same one: {called} has nothing to see there"
        )
    layouts = {**told, **({about: layout} if isinstance(layout, str) else layout or {})}
    asked = {
        name: input_axes(graph.nodes[node].shape, name, axes, layouts.get(name))
        for name, node in graph.inputs.items()
        if graph.nodes[node].shape
    }
    return Report(
        graph, called, asked, input_=about, provenance=reading.provenance, enlarged=reading.enlarged
    )


def _request(
    model: Any,
    input_size: Any,
    inputs: Any,
    kwargs: Mapping[str, Any] | None,
    on_unknown: OnUnknown,
    weights: str | None,
    *,
    trust: bool,
) -> Request:
    """What was asked for, once it is something that can be asked for."""
    if on_unknown not in get_args(OnUnknown):
        raise InputError(f'on_unknown={on_unknown!r} is neither "error" nor "dense"')
    if weights is not None and not isinstance(model, str):
        raise InputError(
            f"weights={weights!r} are for a model that is built from a reference; load them into this one yourself"
        )
    if input_size is not None and inputs is not None:
        raise InputError("input_size= makes the inputs, inputs= are the inputs: give either")
    size = (
        {str(name): _shape(shape) for name, shape in input_size.items()}
        if isinstance(input_size, Mapping)
        else None
        if input_size is None
        else _shape(input_size)
    )
    return Request(model, size, inputs, kwargs, on_unknown, weights, trust)


def _shape(given: Any) -> tuple[int, ...]:
    if not isinstance(given, Iterable) or not all(
        hasattr(extent, "__index__") and extent >= 0 for extent in given
    ):
        raise InputError(
            f"input_size {given!r} is no shape: it takes whole numbers, such as (1, 3, 224, 224), or shapes by name "
            "for a file with several inputs; for a model with several pass inputs= with example tensors"
        )
    return tuple(map(int, given))
