"""Steps that move elements: reshapes, permutations, slices, gathers, joins."""

from __future__ import annotations

from math import prod
from random import Random

import torch
from torch import nn

from tests.networks.step import Do, Shape, divisors, fits, proposes, random_shape


@proposes(2)
def reshape(rng: Random, shape: Shape) -> nn.Module | None:
    """Any shape of as many elements, boundaries divided or not; axes of extent 1 come and go."""
    kind = rng.choice(["any", "flatten", "split", "merge", "squeeze"])
    if kind == "any":
        new = random_shape(rng, prod(shape), rng.randint(3, 5))
    elif kind == "flatten":
        new = (*shape[:2], prod(shape[2:]))
    elif kind == "split" and len(shape) < 5:
        axis = rng.randrange(len(shape))
        factor = rng.choice(divisors(shape[axis]))
        new = (*shape[:axis], factor, shape[axis] // factor, *shape[axis + 1 :])
    elif kind == "merge" and len(shape) > 3:
        axis = rng.randrange(len(shape) - 1)
        new = (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])
    elif kind == "squeeze" and len(shape) > 3 and 1 in shape:
        axis = shape.index(1)
        return Do(f"squeeze({axis})", lambda x: x.squeeze(axis))
    elif len(shape) < 5:
        axis = rng.randint(0, len(shape))
        return Do(f"unsqueeze({axis})", lambda x: x.unsqueeze(axis))
    else:
        return None
    return Do(f"reshape{new}", lambda x: x.reshape(new)) if new != shape else None


@proposes(2)
def permute(rng: Random, shape: Shape) -> nn.Module | None:
    order = list(range(len(shape)))
    rng.shuffle(order)
    if rng.random() < 0.3:
        return Do("transpose(1, -1)", lambda x: x.transpose(1, -1))
    return Do(f"permute{order}", lambda x: x.permute(order))


@proposes(2.5)
def windows(rng: Random, shape: Shape) -> nn.Module | None:
    """Window partition of the two last axes into the batch, as local attention does it."""
    height, width = rng.choice(divisors(shape[-2])), rng.choice(divisors(shape[-1]))
    if len(shape) < 4 or height * width in {1, shape[-1] * shape[-2]}:
        return None
    n, c, rows, columns = prod(shape[:-3]), shape[-3], shape[-2] // height, shape[-1] // width

    def partition(x):
        x = x.reshape(n, c, rows, height, columns, width)
        return x.permute(0, 2, 4, 1, 3, 5).reshape(n * rows * columns, c, height * width)

    return Do(f"windows({height}, {width})", partition)


@proposes(2)
def cut(rng: Random, shape: Shape) -> nn.Module | None:
    """Slices with steps, single elements, parts."""
    axis = rng.randrange(len(shape))
    extent = shape[axis]
    start, step = rng.randrange(extent), rng.randint(1, 3)
    kind = rng.choice(["slice", "slice", "select", "chunk"])
    if kind == "select" and len(shape) > 3:
        return Do(f"select({axis}, {start})", lambda x: x.select(axis, start))
    if kind == "chunk" and extent > 1:
        return Do(f"chunk(2, {axis})[0]", lambda x: x.chunk(2, axis)[0])
    place = (*[slice(None)] * axis, slice(start if start < extent - 1 else 0, None, step))
    return Do(f"x[{place}]", lambda x: x[place]) if extent > 1 else None


@proposes(2)
def move(rng: Random, shape: Shape) -> nn.Module | None:
    """Flips, rolls, quarter turns, repetitions."""
    axis = rng.randrange(len(shape))
    kind = rng.choice(["flip", "roll", "rot90", "repeat", "interleave", "broadcast"])
    if kind == "flip":
        return Do(f"flip({axis})", lambda x: x.flip(axis))
    if kind == "roll":
        other, by = rng.randrange(len(shape)), (rng.randint(1, 3), rng.randint(-2, 2))
        return Do(f"roll({by}, {axis, other})", lambda x: x.roll(by, (axis, other)))
    if kind == "rot90":
        return Do("rot90(-2, -1)", lambda x: x.rot90(1, (-2, -1)))
    if kind == "broadcast" and 1 in shape:
        new = tuple(2 if n == 1 else n for n in shape)
        return Do(f"expand{new}", lambda x: x.expand(new)) if fits(new) else None
    if not fits((*shape, 2)):
        return None
    if kind == "repeat":
        times = [2 if i == axis else 1 for i in range(len(shape))]
        return Do(f"repeat{times}", lambda x: x.repeat(times))
    return Do(f"repeat_interleave(2, {axis})", lambda x: x.repeat_interleave(2, axis))


@proposes(1.5)
def pick(rng: Random, shape: Shape) -> nn.Module | None:
    """Gathers by constant indices."""
    axis = rng.randrange(len(shape))
    extent = shape[axis]
    index = [rng.randrange(extent) for _ in range(rng.randint(1, min(6, extent + 1)))]
    kind = rng.choice(["index_select", "index", "gather", "diagonal"])
    known = torch.tensor(index)
    if kind == "index_select":
        return Do(f"index_select({axis}, {index})", lambda x: x.index_select(axis, known))
    if kind == "index":
        place = (*[slice(None)] * axis, known)
        return Do(f"x[{':, ' * axis}{index}]", lambda x: x[place])
    if kind == "gather":
        generator = torch.Generator().manual_seed(rng.randrange(1000))
        size = (*shape[:axis], len(index), *shape[axis + 1 :])
        places = torch.randint(extent, size, generator=generator)
        return Do(f"gather({axis}, {places.tolist()})", lambda x: x.gather(axis, places))
    return Do("diagonal(0, -2, -1)", lambda x: x.diagonal(0, -2, -1)) if len(shape) > 3 else None


@proposes(1.5)
def put(rng: Random, shape: Shape) -> nn.Module | None:
    """Constants among the values: a class token, zeros written or masked in."""
    kind = rng.choice(["token", "token", "token", "write", "where", "triangle"])
    if kind == "token":
        axis = rng.randrange(1, len(shape))
        token = (*shape[:axis], 1, *shape[axis + 1 :])
        if not fits((*shape[:axis], shape[axis] + 1, *shape[axis + 1 :])):
            return None
        return Do(f"cat(token, {axis})", lambda x, token: torch.cat([token, x], axis), learned=(token,))
    if kind == "triangle":
        return Do(
            "tril(x) + 0.5", lambda x: x.tril() + 0.5
        )  # else what it multiplies would be gone, NaN or not
    known = torch.tensor([rng.random() < 0.6 for _ in range(shape[-1])])
    if kind == "where":
        return Do(f"where({known.tolist()}, x, 0.5)", lambda x: torch.where(known, x, 0.5))
    axis = rng.randrange(len(shape))
    source, target = (*[slice(None)] * axis, 0), (*[slice(None)] * axis, -1)

    def write(x):
        out = x.clone()
        out[target] = x[source] * 0.5
        return out

    return Do(f"x[axis {axis}, -1] = x[axis {axis}, 0]", write)


@proposes(4, operands=2)
def concat(rng: Random, shape: Shape) -> nn.Module | None:
    axis = rng.randrange(len(shape))
    if not fits((*shape, 2)):
        return None
    if rng.random() < 0.2 and len(shape) < 5:
        return Do(f"stack({axis})", lambda x, y: torch.stack([x, y], axis))
    return Do(f"cat({axis})", lambda x, y: torch.cat([x, y], axis))


@proposes(4, operands=2)
def join(rng: Random, shape: Shape) -> nn.Module | None:
    """Skips and gates."""
    known = torch.tensor([rng.random() < 0.5 for _ in range(shape[-1])])
    return rng.choice(
        [
            Do("x + y", torch.add),
            Do("x * y", torch.mul),
            Do("x * sigmoid(y)", lambda x, y: x * y.sigmoid()),
            Do(f"where({known.tolist()}, x, y)", lambda x, y: torch.where(known, x, y)),
            Do("x / (1 + y * y)", lambda x, y: x / (1 + y * y)),
        ]
    )
