"""References to models: the zoos of timm and torchvision, and factories in the user's own code.

Nothing is downloaded, and the large weights of zoo models are left unset, for no field depends on them; only
models whose forward depends on data (detection) get their random initialisation. The same reference builds
the same model every time.
"""

from __future__ import annotations

import ast
import inspect
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import init
from torch.overrides import TorchFunctionMode

from eyeshot.errors import MissingExtraError, ModelReferenceError
from eyeshot.frontends.torch.modules import unwrap
from eyeshot.frontends.torch.weights import load_weights

_LARGE = 64 * 1024
_PATIENCE = 16
_DATA = Tensor.data.__get__  # type: ignore[attr-defined]
_PARAMETER = "_eyeshot_parameter"
_FILLING = {"add_", "clamp_", "div_", "erfinv_", "fill_", "mul_", "normal_", "uniform_", "zero_"}
_WORDS = {"true": True, "false": False, "none": None}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, its name, its usual input's shape, and that input's layout where its rank's default is wrong.

    ``takes`` says how the forward wants it: one tensor, a list of images without a batch axis, or two images.
    """

    model: nn.Module
    name: str
    input_size: tuple[int, ...] | None = None
    layout: str | None = None
    takes: Literal["tensor", "images", "pair"] = "tensor"

    def arguments(self, example: Tensor) -> tuple[Any, ...]:
        """The forward's positional arguments, made of one example of ``input_size``."""
        match self.takes:
            case "images":
                return ([example] if example.dim() == 3 else list(example.unbind(0)),)
            case "pair":
                return example, torch.empty_like(example)
            case "tensor":
                return (example,)


def load(reference: str, weights: str | None = None, *, initialised: bool = False) -> Loaded:
    """Build what a reference names, in eval mode, and load a ``.safetensors`` file into it.

    ``timm:NAME?keyword=literal&...``, ``torchvision:NAME?...``, ``package.module:factory`` or
    ``package.module:factory(1, depth=2)``; factories take literals only. ``initialised`` models have all of their random
    weights, and can be run.

    Raises
    ------
    ModelReferenceError
        for names nobody knows (with close matches), keywords a factory refuses, weights that do not fit.
    MissingExtraError
        where timm, torchvision or safetensors is not installed.
    """
    scheme, _, rest = reference.partition(":")
    if not rest:
        raise ModelReferenceError(
            f"{reference!r} names no model that can be built here: timm:NAME, torchvision:NAME or package.module:factory. "
            "Files are analysed, and never run"
        )
    with _same_every_time():
        match scheme:
            case "timm":
                loaded = _timm(reference, *_keywords(reference, rest), initialised=initialised)
            case "torchvision":
                loaded = _torchvision(reference, *_keywords(reference, rest), initialised=initialised)
            case _:
                loaded = _factory(reference, scheme, rest)
    if weights is not None:
        load_weights(loaded.model, loaded.name, Path(weights))
    loaded.model.eval()
    return loaded


def as_given(model: nn.Module) -> Loaded:
    """The user's own model, in the mode it is in, with the name and the input size of what wrappers hold."""
    inner = unwrap(model)
    return Loaded(model, type(inner).__name__, default_input_size(inner))


def default_input_size(model: nn.Module) -> tuple[int, ...] | None:
    """The input size that a model itself states, batch axis included (by timm's or Lightning's customs)."""
    example = getattr(model, "example_input_array", None)
    if isinstance(example, Tensor):
        return tuple(example.shape)
    for attribute in ("pretrained_cfg", "default_cfg"):
        config = getattr(model, attribute, None)
        size = config.get("input_size") if isinstance(config, dict) else None
        if size:
            return (1, *size)
    return None


# The zoos


def _timm(reference: str, name: str, keywords: dict[str, Any], *, initialised: bool) -> Loaded:
    _need("timm", reference)
    import timm

    if not timm.is_model(name):
        raise _unknown(reference, name, timm.list_models(), "timm")
    with ExitStack() if initialised else _unset_weights():
        model = _built(reference, timm.create_model, name, **keywords)
    size = default_input_size(model)
    if size and "img_size" in keywords:
        edge = keywords["img_size"]
        size = (*size[:2], *(edge if isinstance(edge, tuple | list) else (edge, edge)))
    if size and "in_chans" in keywords:
        size = (size[0], keywords["in_chans"], *size[2:])
    return Loaded(model, reference, size)


def _torchvision(reference: str, name: str, keywords: dict[str, Any], *, initialised: bool) -> Loaded:
    _need("torchvision", reference)
    from torchvision import models

    if name not in models.list_models():
        raise _unknown(reference, name, models.list_models(), "torchvision")
    builder = models.get_model_builder(name)
    known = inspect.signature(builder).parameters
    absent = {key: None for key in ("weights", "weights_backbone") if key in known}
    family = builder.__module__.split(".")[2]
    with ExitStack() if initialised or family == "detection" else _unset_weights():
        model = _built(reference, builder, **absent, **keywords)
    match family:
        case "detection":
            # The size that the model resizes to itself, so that its resize keeps every pixel.
            fixed = model.transform.fixed_size or (model.transform.min_size[-1],) * 2
            return Loaded(model, reference, (3, *fixed[::-1]), "CHW", "images")
        case "optical_flow":
            return Loaded(model, reference, (1, 3, 520, 960), takes="pair")
        case "segmentation":
            return Loaded(model, reference, (1, 3, 520, 520))
        case "video":
            return Loaded(model, reference, (1, 3, *_clip(models.get_model_weights(name).DEFAULT)))
        case _:
            return Loaded(model, reference, (1, 3, *_image(model, models.get_model_weights(name).DEFAULT)))


def _image(model: nn.Module, weights: Any) -> tuple[int, int]:
    own = getattr(model, "image_size", None)
    edge = own if isinstance(own, int) else weights.transforms().crop_size[0]
    return edge, edge


def _clip(weights: Any) -> tuple[int, int, int]:
    high, wide = weights.transforms().crop_size
    return max(16, weights.meta.get("min_temporal_size", 1)), high, wide


def _need(package: str, reference: str) -> None:
    if find_spec(package) is None:
        raise MissingExtraError(
            f'reading {reference!r} needs {package}, which is not installed: pip install "eyeshot[timm]"'
        )


def _unknown(reference: str, name: str, known: Iterable[str], zoo: str) -> ModelReferenceError:
    near = get_close_matches(name.partition(".")[0], known, 4, 0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"{zoo}'s list_models() has them all."
    return ModelReferenceError(f"{reference!r}: {zoo} has no model called {name!r}; {hint}")


# The user's own factories


def _factory(reference: str, module_name: str, rest: str) -> Loaded:
    path, args, keywords = _call(reference, rest)
    try:
        found: Any = import_module(module_name)
    except ImportError as error:
        raise ModelReferenceError(
            f"{reference!r}: importing {module_name!r} failed: {error}. A reference is timm:NAME, "
            "torchvision:NAME, or package.module:factory with a package that can be imported from here"
        ) from error
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            near = get_close_matches(part, dir(found), 3)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise ModelReferenceError(f"{reference!r}: {module_name} has no {path!r}{hint}") from None
    model = found
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise ModelReferenceError(
                f"{reference!r} is a {type(found).__name__}, neither a factory nor a model"
            )
        model = _built(reference, found, *args, **keywords)
    if not isinstance(model, nn.Module):
        raise ModelReferenceError(
            f"{reference!r} returned a {type(model).__name__}; a factory returns a torch.nn.Module"
        )
    return Loaded(model, reference, default_input_size(model))


def _call(reference: str, text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """``name(1, depth=2)`` as its parts, without evaluating anything but literals."""
    try:
        parsed = ast.parse(text, mode="eval").body
        if not isinstance(parsed, ast.Call):
            return text, [], {}
        args = [ast.literal_eval(node) for node in parsed.args]
        keywords = {str(word.arg): ast.literal_eval(word.value) for word in parsed.keywords}
        return ast.unparse(parsed.func), args, keywords
    except (SyntaxError, ValueError) as error:
        raise ModelReferenceError(
            f"{reference!r}: cannot read {text!r} as a factory with literal arguments; "
            "write package.module:factory or package.module:factory(1, depth=2)"
        ) from error


def _keywords(reference: str, rest: str) -> tuple[str, dict[str, Any]]:
    """``NAME?a=1&b=word`` as the name and its keywords; a word that is no literal is a string."""
    name, _, query = rest.partition("?")
    keywords: dict[str, Any] = {}
    for item in filter(None, query.split("&")):
        key, equals, text = item.partition("=")
        if not equals or not key.isidentifier():
            raise ModelReferenceError(
                f"{reference!r}: {item!r} is no keyword=literal, as in ?features_only=true&num_classes=10"
            )
        if key in ("pretrained", "weights", "weights_backbone"):
            raise ModelReferenceError(
                f"{reference!r}: {key} would download, which eyeshot never does. Fields do not depend on "
                "weights; --weights FILE.safetensors (weights=) loads a file"
            )
        keywords[key] = _literal(text)
    return name, keywords


def _literal(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


# Building


def _built(reference: str, factory: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about defaults of the zoo, which the user cannot change
            return factory(*args, **keywords)
    except Exception as error:
        raise ModelReferenceError(
            f"{reference!r}: building the model raised {type(error).__name__}: {error}. "
            "Check the factory's arguments and keywords"
        ) from error


@contextmanager
def _unset_weights() -> Iterator[None]:
    """Large weights stay as the memory was: filling them takes most of the time of building a large model."""
    draw = init._no_grad_trunc_normal_

    def drawn(tensor: Tensor, *args: Any, **keywords: Any) -> Tensor:
        """Draws until every number suits it, which those that happen to be in memory never may."""
        return tensor if tensor.numel() > _LARGE else draw(tensor, *args, **keywords)

    with mock.patch.object(init, draw.__name__, drawn), _NoFilling():
        yield


class _NoFilling(TorchFunctionMode):
    """Ops that fill large parameters (or their data) do nothing, until they insist: a loop may wait for what they draw."""

    def __init__(self) -> None:
        super().__init__()
        self._skipped: Counter[int] = Counter()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = kwargs or {}
        filled = args[0] if args else keywords.get("tensor")
        if isinstance(filled, Tensor) and not isinstance(filled, nn.Parameter):
            filled = getattr(filled, _PARAMETER, None)
        if isinstance(filled, nn.Parameter) and filled.numel() > _LARGE:
            if func == _DATA:
                data = func(*args, **keywords)
                setattr(data, _PARAMETER, filled)
                return data
            fills = (
                getattr(func, "__name__", "") in _FILLING
                or getattr(func, "__module__", "") == "torch.nn.init"
            )
            if fills and self._skipped[id(filled)] < _PATIENCE:
                self._skipped[id(filled)] += 1
                return args[0] if args else filled
        return func(*args, **keywords)


@contextmanager
def _same_every_time() -> Iterator[None]:
    """Build from seed 0, and leave the generators of random numbers as they were."""
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002 - the one models use
    torch.default_generator.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - as above
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])  # noqa: NPY002 - as above
