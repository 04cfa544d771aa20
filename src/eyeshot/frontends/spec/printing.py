"""Specs as text; what is printed is read back as an equal spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from eyeshot.frontends.spec.tree import Join, Op, Skip, labelled

if TYPE_CHECKING:
    from eyeshot.frontends.spec.tree import Chain, Sizes, Spec, Step

BRACKETS = {"concat": ("[", " | ", "]"), "add": ("{", " + ", "}"), "mul": ("{", " * ", "}")}


def text_of(spec: Spec) -> str:
    """The one line of a spec."""
    header = "x".join(map(str, spec.input)) if spec.input else f"{spec.rank}d" if spec.rank else ""
    return (f"{header}: " if header else "") + chain_text(spec.chain)


def chain_text(chain: Chain) -> str:
    """Steps and the signs between them."""
    return " > ".join(map(step_text, chain))


def step_text(step: Step) -> str:
    """One step with its name and count."""
    text = _body(step)
    if step.times > 1 and not isinstance(step.body, tuple):
        text = f"({text})"
    return (f"{step.name}=" if step.name else "") + (f"{step.times}*" if step.times > 1 else "") + text


def op_text(op: Op) -> str:
    """One op, its numbers in a fixed order: ``conv3s2d2p1g4-causal:64``."""
    numbers = "".join(f"{letter}{sizes_text(sizes)}" for letter, sizes in labelled(op).items())
    modes = "".join(f"-{mode}" for mode in op.modes)
    channels = "" if op.channels is None else f":{op.channels}"
    return f"{op.kind}{sizes_text(op.size)}{numbers}{modes}{channels}"


def sizes_text(sizes: Sizes) -> str:
    """``3``, ``3x1`` for two axes, ``1,0`` before and after."""
    return "x".join(str(each) if isinstance(each, int) else f"{each[0]},{each[1]}" for each in sizes)


def _body(step: Step) -> str:
    match step.body:
        case Op():
            return op_text(step.body)
        case Skip():
            return f"@{step.body.name}"
        case Join():
            before, between, after = BRACKETS[step.body.kind]
            return before + between.join(map(chain_text, step.body.branches)) + after
        case tuple():
            return f"({chain_text(step.body)})"
        case _:
            assert_never(step.body)
