"""`effective_field`: one unit, one protocol, one method."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from eyeshot.effective.field import EffectiveField
from eyeshot.effective.images import Images, is_array, photographs
from eyeshot.effective.protocols import protocol_named
from eyeshot.effective.question import Question
from eyeshot.effective.units import box_of, central_of, last_spatial
from eyeshot.errors import InputError, QuestionError
from eyeshot.execution.target import Target
from eyeshot.fields.index import region_index
from eyeshot.frontends.registry import frontend_for
from eyeshot.pipeline import analyze

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.effective.protocols import Protocol
    from eyeshot.effective.question import Estimate, Progress
    from eyeshot.fields import Report

METHODS = {"gradient": "eyeshot.effective.gradient", "analytic": "eyeshot.effective.analytic"}
"""Modules whose ``estimate(question)`` answers, by the name of the method."""

Unit = Literal["center"] | tuple[int | slice | None, ...]


def effective_field(
    model: Any,
    images: Any,
    layer: str | None = None,
    unit: Unit = "center",
    *,
    method: str = "gradient",
    protocol: str = "plain",
    report: Report | None = None,
    target: Target | Any = None,
    tolerance: float | None = None,
    seed: int = 0,
    memory: int = 2 << 30,
    progress: Progress | None = None,
    input_size: Sequence[int] | None = None,
    weights: str | None = None,
) -> EffectiveField:
    """Measure how much each place of the input contributes to a unit: what it sees, not what it may see.

    Only the part of the input is run that the unit can see. The model is used in the mode it is in, and left as it was.

    Parameters
    ----------
    model
        A ``torch.nn.Module``, or a reference to one (``timm:NAME``, ``torchvision:NAME``, ``package.module:factory``),
        whose weights are random unless ``weights`` loads some.
    images
        What it is shown: an array or tensor (N, C, H, W); photographs as paths, a folder, PIL images or uint8 arrays
        (prepared as `eyeshot.effective.images` says); or a number of standard normal images, drawn from ``seed``. None
        where the closed form is to need none.
    layer
        A name of the report; by default the last layer whose units have places.
    unit
        A full index (n, c, h, w) of the layer's output, None for all of an axis, slices for parts; or ``"center"``: all
        channels in the middle.
    method
        How it is estimated: ``"gradient"`` averages over the images; ``"analytic"`` propagates the moments of the gradient
        through the weights (`eyeshot.effective.analytic`), one backward pass for any number of images.
    protocol
        ``"plain"``, ``"replknet"``, ``"replknet-linear"``, ``"vmamba"``, ``"openerf"`` or ``"luo2016"``: how gradients
        become a map, and what is measured on it (`eyeshot.effective.protocols`).
    report
        The model's report, if there is one already.
    target
        Instead of a unit: a `Target`, or a function of the layer's output (by default the network's) for a batch of
        images that returns one number, summed over images: ``lambda logits: logits[:, 207].sum()``.
    tolerance
        Stop once ``stderr`` is at most this.
    memory
        Bytes that images and activations may take.
    progress
        Called with the images done and their number after each batch.
    input_size
        Shape of the input, where neither images nor the model know it.
    weights
        A ``.safetensors`` file to load into a referenced model.

    Raises
    ------
    EyeshotError
        a typed error that names the cause and the remedy (:mod:`eyeshot.errors`).

    Examples
    --------
    >>> effective = eyeshot.effective_field("timm:resnet18", 16, layer="layer2")
    >>> effective.side < effective.theoretical
    True
    """
    chosen = protocol_named(protocol)
    if method not in METHODS:
        raise QuestionError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    module, notes, own_size = module_of(model, weights)
    if report is None:
        report = analyze(module, input_size or _size_of(images) or own_size)
    report = suited(report)
    wanted = _target(report, layer, unit, target, chosen)
    given = 1 if images is None and method == "analytic" else images
    source = Images(given, report, module, chosen.framing, seed)
    question = Question(
        module,
        report,
        wanted,
        source,
        chosen,
        tolerance=tolerance,
        memory=memory,
        progress=progress or _quiet,
    )
    found: Estimate = import_module(METHODS[method]).estimate(question)
    central = target is None and unit == "center"
    told = _field(question, found, method, [*notes, *source.notes, *found.notes], central=central)
    return replace(told, model=model) if isinstance(model, str) else told


def _field(
    question: Question, found: Estimate, method: str, notes: list[str], *, central: bool
) -> EffectiveField:
    report, target = question.report, question.target
    return EffectiveField(
        map=question.protocol.finish(found.map) if found.map.any() else found.map,
        model=report.model,
        layer=target.layer,
        unit=(0, *target.index),
        box=box_of(report[target.layer], target.index),
        axes=report.axes,
        method=method,
        protocol=question.protocol.name,
        images=found.images,
        stderr=found.stderr,
        convergence=found.convergence,
        notes=tuple(notes),
        central=central,
        photograph=question.images.shown(),
    )


def module_of(model: Any, weights: str | None) -> tuple[Any, list[str], tuple[int, ...] | None]:
    """The module itself (in eval mode if it is built here), what to know about it, and its usual input's shape."""
    if isinstance(model, str) and ":" in model and not model.startswith("spec:"):
        frontend_for(model)
        from eyeshot.frontends.torch.zoo import load

        loaded = load(model, weights, initialised=True)
        if loaded.takes != "tensor":
            raise InputError(
                f"{model!r} takes {'a list of images' if loaded.takes == 'images' else 'two images'}: wrap it in a module "
                "that takes one batch"
            )
        return loaded.model, [] if weights else ["random weights: weights= loads others"], loaded.input_size
    if weights is not None:
        raise InputError(
            f"weights={weights!r} are for a model that is built from a reference; load them into this one yourself"
        )
    if not hasattr(model, "named_modules"):
        raise InputError(
            f"effective fields are measured by running a PyTorch module, and {model!r} is none: give the module itself, "
            "or a reference to one"
        )
    training = getattr(model, "training", False)
    return model, ["the model is in train mode: eval() makes it what it is in use"] if training else [], None


def suited(report: Report) -> Report:
    """The report about full fields on the spatial axes of an input with a batch axis."""
    report = report.about(report.input, "spatial").view("full")
    layout = report.spatial[report.input].layout
    if layout is None or layout[0] != "N":
        raise InputError(
            f"images are batched along the first axis, and the input {report.input!r} of {report.model} "
            f"{report.input_shape} has none: wrap the model so that it takes (N, ...)"
        )
    if len(report.graph.inputs) > 1:
        raise InputError(
            f"{report.model} has the inputs {', '.join(report.graph.inputs)}: wrap it so that it takes images alone"
        )
    return report


def _target(report: Report, layer: str | None, unit: Unit, target: Any, protocol: Protocol) -> Target:
    """What gradients are taken of, as the protocol reduces it."""
    if isinstance(target, Target):
        chosen = target
    elif callable(target):
        name = layer or next(iter(report.graph.outputs))
        chosen = Target(name, (None,) * (len(report[name].shape) - 1), function=target)
    elif target is not None:
        raise QuestionError(f"target={target!r} is neither a Target nor a function of a layer's output")
    else:
        name = layer or last_spatial(report)
        if isinstance(unit, str):
            if unit != "center":
                raise QuestionError(f'unit={unit!r} is neither "center" nor a full index (n, c, h, w)')
            index = central_of(report, name, upper_left=protocol.upper_left)
        else:
            index = region_index(tuple(unit), report[name].shape, name)[1:]
        chosen = Target(name, index, protocol.reduce, protocol.rectified)
    samples = report[chosen.layer].shape[:1]
    if samples != report.input_shape[:1]:
        raise QuestionError(
            f"{chosen.layer!r} {report[chosen.layer].shape} has no batch axis in front: its units belong to no one image"
        )
    return chosen


def _size_of(images: Any) -> tuple[int, ...] | None:
    """The shape of an input for one image, where images are arrays of numbers."""
    if not is_array(images) or photographs(images):
        return None
    shape = images[0].shape if isinstance(images, list | tuple) else images.shape[1:]
    return (1, *map(int, shape))


def _quiet(_done: int, _all: int) -> None:
    pass
