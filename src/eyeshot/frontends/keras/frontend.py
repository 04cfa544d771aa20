"""The way in for Keras: live models of any backend, `.keras` files, and with ``trust`` `.h5` files."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eyeshot.errors import InputError, ModelReferenceError
from eyeshot.frontends.files import Budget, suffix_of
from eyeshot.frontends.registry import Reading

if TYPE_CHECKING:
    from eyeshot.frontends.keras.configuration import LayerEntry
    from eyeshot.frontends.registry import Request
    from eyeshot.graph import Graph

ARCHIVE = ".keras"
HDF5 = {".h5", ".hdf5"}


def accepts(model: object) -> bool:
    """A `.keras` or `.h5` file, or a Keras model or layer (keras is then loaded already)."""
    if suffix_of(model) in {ARCHIVE, *HDF5}:
        return True
    keras = sys.modules.get("keras")
    return keras is not None and hasattr(keras, "Layer") and isinstance(model, keras.Layer)


def read(request: Request) -> Reading:
    """Lower the model's configuration; nothing of the model is run, and of a file nothing is imported.

    Raises
    ------
    ModelReferenceError, FileFormatError, UnsafeFileError, InputError, UnsupportedOpError, MissingExtraError
        see :mod:`eyeshot.errors`.
    """
    from eyeshot.frontends.keras.lower import lower

    began = perf_counter()
    path = request.model if suffix_of(request.model) in {ARCHIVE, *HDF5} else None
    provenance: dict[str, Any] = {"training": False, "real": False}
    shape_of = budget = None
    if path is None:
        root, shape_of = _live(request.model)
    else:
        from eyeshot.frontends.keras.archive import read_archive, read_hdf5

        budget = None if request.trust else Budget(path)
        root, version = (
            read_archive(path) if suffix_of(path) == ARCHIVE else read_hdf5(path, trust=request.trust)
        )
        if version:
            provenance["keras"] = version
    provenance["loading"] = perf_counter() - began
    dense = request.on_unknown == "dense"
    wanted = _wanted(request)
    graph, layouts = lower(root, wanted, shape_of=shape_of, budget=budget, dense=dense)

    def enlarged(axes: tuple[int, ...]) -> Graph:
        (name,) = graph.inputs
        shape = graph.nodes[graph.inputs[name]].shape
        doubled = tuple(2 * extent if axis in axes else extent for axis, extent in enumerate(shape))
        return lower(root, {name: doubled}, shape_of=shape_of, budget=budget, dense=dense)[0]

    return Reading(
        graph, root.name, layouts, provenance, enlarged if len(graph.inputs) == 1 else None, budget
    )


def _wanted(request: Request) -> Any:
    """The shapes that the user asked for: one, several in order, or by name; with their dtypes where they are tensors."""
    if request.kwargs:
        raise InputError(
            "a Keras model is read from its configuration: give its inputs by name, inputs={name: tensor}"
        )
    if request.inputs is None:
        return request.input_size
    given = request.inputs
    if isinstance(given, Mapping):
        return {str(name): _shape(value) for name, value in given.items()}
    return [_shape(value) for value in (given if isinstance(given, tuple | list) else [given])]


def _shape(value: Any) -> tuple[int, ...]:
    if not hasattr(value, "shape"):
        raise InputError(
            f"an input of type {type(value).__qualname__} has no shape: give tensors, or input_size="
        )
    return tuple(int(extent) for extent in value.shape)


def _live(model: Any) -> tuple[LayerEntry, Any]:
    """A live model's configuration, and how to ask its layers for shapes."""
    import keras  # type: ignore[import-untyped]  # ships no types

    from eyeshot.frontends.keras.configuration import entry

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # As it would stand in a file: lists for tuples, plain numbers for NumPy's.
            data = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ModelReferenceError(
            f"{model.name!r} has no configuration to read: {_brief(error)}. Give its class a get_config(), or build it "
            "with the functional API; under the jax backend, eyeshot reads any function: "
            "eyeshot.analyze(lambda x: model(x), inputs=...)"
        ) from error
    root = entry(data, type(model).__name__)
    if not root.is_model and isinstance(model, keras.Model):
        raise ModelReferenceError(
            f"{model.name!r} is a {type(model).__name__}, whose call() is Python code that its configuration does not "
            "have. Build it with the functional API; under the jax backend, eyeshot reads any function: "
            "eyeshot.analyze(lambda x: model(x), inputs=...)"
        )

    def shape_of(path: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        return _asked(keras, model, path, args, kwargs)

    return root, shape_of


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _asked(keras: Any, model: Any, path: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """What a live layer says the shapes of its outputs are; one that is wrapped by another cannot be found."""
    from eyeshot.graph import Ref

    def symbolic(item: Any) -> Any:
        if isinstance(item, Ref):
            return keras.KerasTensor(item.shape)
        if isinstance(item, Mapping):
            return {key: symbolic(value) for key, value in item.items()}
        return [symbolic(part) for part in item] if isinstance(item, list) else item

    layer = model
    try:
        for name in path.split("."):
            layer = layer.get_layer(name)
        spec = layer.compute_output_spec(*symbolic(args), **symbolic(kwargs))
    except Exception as error:
        raise InputError(f"{path} does not say which shape it returns: {_brief(error)}") from error
    return keras.tree.map_structure(lambda each: tuple(each.shape), spec)
