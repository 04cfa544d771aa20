"""From a spec to a PyTorch module that computes the same network, under the same names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import torch
from torch import Tensor, nn

from eyeshot.frontends.spec import layers
from eyeshot.frontends.spec.frontend import input_shape
from eyeshot.frontends.spec.lower import Scope, lower, names_in
from eyeshot.frontends.spec.tree import Join, Op, Skip
from eyeshot.frontends.spec.words import pairs, whole, windows

if TYPE_CHECKING:
    from eyeshot.frontends.spec.tree import Chain, Spec, Step

Shape = tuple[int, ...]
Building = Callable[[Op, Shape, Shape], nn.Module]
F = TypeVar("F", bound=Building)

BUILDINGS: dict[str, Building] = {}


def builds(*names: str) -> Callable[[F], F]:
    """Register a function that makes the module of an op from the shapes of its input and output."""

    def register(function: F) -> F:
        BUILDINGS.update(dict.fromkeys(names, function))
        return function

    return register


def build(spec: Spec, input_size: Shape | None = None) -> nn.Module:
    """See `eyeshot.Spec.build`."""
    shape = input_shape(spec, input_size)
    graph = lower(spec, shape)
    return _Builder({tensor.name: tensor.shape for tensor in graph.tensors}).network(spec, shape).eval()


class Block(nn.Module):
    """Branches of children that run one after the other, and how their outputs are joined ("" for one branch).

    Instructions are ("call", child), ("keep", name) and ("recall", name); ``seen`` holds what is kept.
    """

    def __init__(self, join: str = "") -> None:
        super().__init__()
        self.join = join
        self.branches: list[list[tuple[str, str]]] = []

    def forward(self, x: Tensor, seen: dict[str, Tensor]) -> Tensor:
        """The branches on ``x``, joined."""
        outs = [self._run(branch, x, seen) for branch in self.branches]
        if self.join == "concat":
            return torch.cat(outs, 1)
        out = outs[0]
        for other in outs[1:]:
            out = out + other if self.join == "add" else out * other
        return out

    def _run(self, branch: list[tuple[str, str]], x: Tensor, seen: dict[str, Tensor]) -> Tensor:
        for what, name in branch:
            if what == "keep":
                seen[name] = x
            elif what == "recall":
                x = seen[name]
            else:
                child: Any = self._modules[name]
                x = child(x, seen) if isinstance(child, Block) else child(x)
        return x


class Network(Block):
    """A whole network."""

    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]  # noqa: A002 - the report's name for it
        """The output for a batch of inputs."""
        return super().forward(input, {})


class _Builder:
    """A walk over a spec in step with `lower`: the same scopes give the same names, whose shapes are known."""

    def __init__(self, shapes: dict[str, Shape]) -> None:
        self._shapes = shapes
        self._kept: dict[str, Shape] = {}

    def network(self, spec: Spec, shape: Shape) -> nn.Module:
        """The root."""
        network = Network()
        network.branches.append([])
        self._chain(spec.chain, shape, network, network.branches[0], Scope(names_in(spec.chain)))
        return network

    def _chain(
        self, chain: Chain, shape: Shape, block: Block, plan: list[tuple[str, str]], scope: Scope
    ) -> Shape:
        for step in chain:
            if step.times > 1 and step.name:
                path = scope.name(step.name)
                inner, turns = self._child(block, plan, path), scope.inside(path)
                for turn in range(step.times):
                    shape = self._step(step, shape, inner, inner.branches[0], turns, str(turn))
            else:
                for _ in range(step.times):
                    shape = self._step(step, shape, block, plan, scope, step.name)
            if step.name:
                plan.append(("keep", step.name))
                self._kept[step.name] = shape
        return shape

    def _step(
        self, step: Step, shape: Shape, block: Block, plan: list[tuple[str, str]], scope: Scope, name: str
    ) -> Shape:
        body = step.body
        match body:
            case Op():
                path = scope.name(name or body.kind)
                module = BUILDINGS[body.kind](body, shape, self._shapes[path])
                self._add(block, plan, path, module)
                return self._shapes[path]
            case Skip():
                plan.append(("recall", body.name))
                return self._kept[body.name]
            case Join():
                path = scope.name(name or body.kind)
                inner = self._child(block, plan, path, body.kind)
                inner.branches, within = [], scope.inside(path)
                for branch in body.branches:
                    inner.branches.append([])
                    self._chain(branch, shape, inner, inner.branches[-1], within)
                return self._shapes[path]
            case tuple():
                if not name:
                    return self._chain(body, shape, block, plan, scope)
                path = scope.name(name)
                inner = self._child(block, plan, path)
                return self._chain(body, shape, inner, inner.branches[0], scope.inside(path))
            case _:
                assert_never(body)

    def _child(self, block: Block, plan: list[tuple[str, str]], path: str, join: str = "") -> Block:
        child = Block(join)
        child.branches.append([])
        self._add(block, plan, path, child)
        return child

    def _add(self, block: Block, plan: list[tuple[str, str]], path: str, module: nn.Module) -> None:
        own = path.rpartition(".")[2]
        block._modules[own] = module  # noqa: SLF001 - add_module refuses names such as "forward" and "train"
        plan.append(("call", own))


@builds("conv", "dwconv", "deconv")
def _conv(op: Op, before: Shape, after: Shape) -> nn.Module:
    rank = len(before) - 2
    numbers = windows(op, rank)
    groups = before[1] if op.kind == "dwconv" else whole(op.groups, 1, 1)[0]
    kernel, stride, dilation, padding, _, extra = zip(*numbers, strict=True)
    if op.kind == "deconv":
        kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 1]
        return kind(before[1], after[1], kernel, stride, padding, extra, groups, dilation=dilation)
    causal = "causal" in op.modes
    plain = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    conv = plain(before[1], after[1], kernel, stride, 0 if causal else padding, dilation, groups)
    return layers.Padded([(each.before, 0) for each in numbers], conv) if causal else conv


@builds("maxpool", "avgpool")
def _pool(op: Op, before: Shape, after: Shape) -> nn.Module:
    rank = len(before) - 2
    kernel, stride, dilation, padding, _, _ = zip(*windows(op, rank), strict=True)
    ceil = "ceil" in op.modes
    if op.kind == "maxpool":
        kind = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[rank - 1]
        return kind(kernel, stride, padding, dilation, ceil_mode=ceil)
    return (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[rank - 1](kernel, stride, padding, ceil_mode=ceil)


@builds("adaptive", "gap")
def _adaptive(op: Op, before: Shape, after: Shape) -> nn.Module:
    rank = len(before) - 2
    kind = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[rank - 1]
    return kind(tuple(whole(op.size, rank, 1)))


@builds("up", "down")
def _resize(op: Op, before: Shape, after: Shape) -> nn.Module:
    rank = len(before) - 2
    mode = next((mode for mode in op.modes if mode != "corners"), "nearest")
    names = {"linear": ("linear", "bilinear", "trilinear")[rank - 1], "cubic": "bicubic"}
    factors = whole(op.size, rank, 1)
    return layers.Resized(factors, op.kind == "up", names.get(mode, mode), corners="corners" in op.modes)


@builds("shuffle", "unshuffle")
def _shuffle(op: Op, before: Shape, after: Shape) -> nn.Module:
    rank = len(before) - 2
    factors = whole(op.size, rank, 1)
    return layers.Shuffled(factors) if op.kind == "shuffle" else layers.Unshuffled(factors)


@builds("pad", "crop")
def _pad(op: Op, before: Shape, after: Shape) -> nn.Module:
    sign = 1 if op.kind == "pad" else -1
    amounts = [(sign * low, sign * high) for low, high in pairs(op.size, len(before) - 2)]
    return layers.Padded(amounts, mode=op.modes[0] if op.modes else "constant")


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "leakyrelu": nn.LeakyReLU, "elu": nn.ELU, "selu": nn.SELU, "gelu": nn.GELU, "silu": nn.SiLU,
    "mish": nn.Mish, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "softplus": nn.Softplus, "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid, "id": nn.Identity, "dropout": nn.Dropout, "flatten": nn.Flatten,
    "softmax": lambda: nn.Softmax(1),
}  # fmt: skip


@builds(*ACTIVATIONS)
def _activation(op: Op, before: Shape, after: Shape) -> nn.Module:
    return ACTIVATIONS[op.kind]()


@builds("bn", "in", "ln", "gn")
def _norm(op: Op, before: Shape, after: Shape) -> nn.Module:
    channels, place = before[1], max(0, len(before) - 3)
    if op.kind == "bn":
        return (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[place](channels)
    if op.kind == "in":
        return (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[place](channels)
    return (
        layers.OnChannels(nn.LayerNorm(channels))
        if op.kind == "ln"
        else nn.GroupNorm(whole(op.size, 1, 32)[0], channels)
    )


@builds("linear")
def _linear(op: Op, before: Shape, after: Shape) -> nn.Module:
    return layers.OnChannels(nn.Linear(before[1], after[1]))


@builds("se")
def _gate(op: Op, before: Shape, after: Shape) -> nn.Module:
    return layers.Gated(before[1], max(1, before[1] // whole(op.size, 1, 16)[0]))


@builds("attn")
def _attention(op: Op, before: Shape, after: Shape) -> nn.Module:
    window = whole(op.size, len(before) - 2, 1) if op.size else None
    return layers.Attention(before[1], whole(op.heads, 1, 1)[0], window, causal="causal" in op.modes)


@builds("lstm", "gru")
def _recurrent(op: Op, before: Shape, after: Shape) -> nn.Module:
    both = "both" in op.modes
    kind = nn.LSTM if op.kind == "lstm" else nn.GRU
    return layers.Recurrent(kind(before[1], after[1] // (2 if both else 1), bidirectional=both))
