"""What users hand in as a model: a function, or a module of flax or equinox, as a function of what it holds."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from eyeshot.frontends.jax.shapes import is_array, shape_of
from eyeshot.frontends.jax.watching import Watch, is_module

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass
class Subject:
    """A model as ``call(held, args, kwargs)``.

    ``held`` are shapes of the floating-point arrays that it may learn: numbers that nobody looks at. ``signature`` has
    the names of its arguments.
    """

    name: str
    signature: Callable[..., Any]
    call: Callable[[list[Any], tuple[Any, ...], dict[str, Any]], Any]
    held: list[Any] = field(default_factory=list)
    watch: Watch = field(default_factory=Watch)


def subject(model: Any, arguments: Arguments) -> Subject:
    """A model, ready to be traced. A flax.linen module without variables takes its shapes from the arguments."""
    linen, nnx = sys.modules.get("flax.linen"), sys.modules.get("flax.nnx")
    if linen is not None and isinstance(model, linen.Module):
        variables = dict(model.variables) if model.scope is not None else _initial(model, arguments)
        return _linen(model.clone(parent=None) if model.scope is not None else model, variables)
    if isinstance(model, functools.partial):
        owner = getattr(model.func, "__self__", None)
        applied = linen is not None and isinstance(owner, linen.Module) and model.func.__name__ == "apply"
        return _tree(model, (model.func, model.args, model.keywords), applied=applied)
    if nnx is not None and isinstance(model, nnx.Module):
        return _nnx(model, nnx)
    if not jax.tree_util.all_leaves([model]):
        return _tree(model, model)
    return _function(model)


def _function(model: Any) -> Subject:
    def call(_: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with found.watch.watching():
            return model(*args, **kwargs)

    found = Subject(_name(model), model, call)
    inner = inspect.unwrap(model)
    if is_module(inner):
        found.watch.add(inner)
    names = getattr(getattr(inner, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(inner, "__closure__", None) or (), strict=False):
        if is_module(cell.cell_contents):
            found.watch.add(cell.cell_contents, name)
    return found


def _tree(model: Any, tree: Any, *, applied: bool = False) -> Subject:
    """A callable pytree (equinox), or a partial function with arrays among its arguments."""
    leaves, structure = jax.tree_util.tree_flatten(tree)
    places = [place for place, leaf in enumerate(leaves) if _learned(leaf)]
    found = Subject(_name(model), model, lambda *_: None, [shape_of(leaves[place]) for place in places])

    def call(held: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        filled = list(leaves)
        for place, value in zip(places, held, strict=True):
            filled[place] = value
        rebuilt = jax.tree_util.tree_unflatten(structure, filled)
        if isinstance(model, functools.partial):
            function, given, named = rebuilt
            with found.watch.watching():
                return function(*given, *args, **{**named, **kwargs})
        found.watch.add(rebuilt)
        with found.watch.watching():
            return rebuilt(*args, **kwargs)

    found.call = call
    if applied:
        found.signature = model.func.__self__.__call__
        found.watch.owned.update(_owned(model.args[0] if model.args else model.keywords.get("variables", {})))
    return found


def _nnx(model: Any, nnx: Any) -> Subject:
    definition, state = nnx.split(model)
    leaves, structure = jax.tree_util.tree_flatten(state)
    places = [place for place, leaf in enumerate(leaves) if _learned(leaf)]
    found = Subject(_name(model), model, lambda *_: None, [shape_of(leaves[place]) for place in places])

    def call(held: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        filled = list(leaves)
        for place, value in zip(places, held, strict=True):
            filled[place] = value
        rebuilt = nnx.merge(definition, jax.tree_util.tree_unflatten(structure, filled))
        found.watch.add(rebuilt)
        with found.watch.watching():
            return rebuilt(*args, **kwargs)

    found.call = call
    return found


def _initial(model: Any, arguments: Arguments) -> Any:
    """Shapes of the variables of a flax.linen module that has none yet."""
    args, kwargs = arguments
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    leaves, structure = jax.tree_util.tree_flatten((args, kwargs))
    places = [place for place, leaf in enumerate(leaves) if is_array(leaf)]

    def init(given: list[Any]) -> Any:
        filled = list(leaves)
        for place, value in zip(places, given, strict=True):
            filled[place] = value
        args, kwargs = jax.tree_util.tree_unflatten(structure, filled)
        return model.init(keys, *args, **kwargs)

    return jax.eval_shape(init, [shape_of(leaves[place]) for place in places])


def _linen(model: Any, variables: Any) -> Subject:
    leaves, structure = jax.tree_util.tree_flatten(variables)
    places = [place for place, leaf in enumerate(leaves) if _learned(leaf)]
    mutable = [collection for collection in variables if collection != "params"]

    def call(held: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        filled = list(leaves)
        for place, value in zip(places, held, strict=True):
            filled[place] = value
        given = jax.tree_util.tree_unflatten(structure, filled)
        rngs = {"dropout": jax.random.key(0)}
        with found.watch.watching():
            out = model.apply(given, *args, rngs=rngs, mutable=mutable, **kwargs)
        return out[0] if mutable else out

    found = Subject(type(model).__name__, model.__call__, call, [shape_of(leaves[place]) for place in places])
    found.watch.owned.update(_owned(variables))
    return found


def _owned(variables: Any) -> dict[str, int]:
    """Parameters by module path, from the tree that flax.linen keeps them in."""
    owned: dict[str, int] = {}
    tree = variables.get("params", {}) if hasattr(variables, "get") else {}
    for keys, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        path = ".".join(str(getattr(key, "key", key)) for key in keys[:-1])
        owned[path] = owned.get(path, 0) + int(np.prod(leaf.shape))
    return owned


def _name(model: Any) -> str:
    inner = model.func if isinstance(model, functools.partial) else model
    owner = getattr(inner, "__self__", None)
    if owner is not None and type(owner).__module__ != "builtins":
        return type(owner).__name__
    return str(getattr(inner, "__name__", type(inner).__name__)).strip("<>")


def _learned(value: Any) -> bool:
    """Whether the numbers of a leaf are not to be looked at, or not there."""
    return isinstance(value, jax.ShapeDtypeStruct) or (
        is_array(value) and jnp.issubdtype(value.dtype, np.inexact)
    )
