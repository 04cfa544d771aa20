"""A network as a value: what text and YAML are read into, and what lowering, printing and building walk over."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from eyeshot.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

Extent = int | tuple[int, int]
Sizes = tuple[Extent, ...]
"""One number for all spatial axes, or one for each; padding may have two an axis, before and after."""

JoinKind = Literal["concat", "add", "mul"]

LETTERS = {
    "s": "stride",
    "d": "dilation",
    "p": "padding",
    "o": "output_padding",
    "g": "groups",
    "h": "heads",
}
"""The letters that numbers of an op stand behind, in the order in which they are printed."""


@dataclass(frozen=True, slots=True)
class Op:
    """One op, as written: what was left out is empty or None, and filled in by `eyeshot.frontends.spec.words`.

    ``size`` is the number right behind the op's name (a kernel, a factor, ...), ``modes`` are the words behind dashes,
    ``channels`` those of the output.
    """

    kind: str
    size: Sizes = ()
    stride: Sizes = ()
    dilation: Sizes = ()
    padding: Sizes = ()
    output_padding: Sizes = ()
    groups: Sizes = ()
    heads: Sizes = ()
    modes: tuple[str, ...] = ()
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """The output of an earlier layer, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Join:
    """Branches that read the same tensor: end to end along the channels, summed, or multiplied."""

    kind: JoinKind
    branches: tuple[Chain, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chain: an op, an earlier layer, branches, or a chain in parentheses, ``times`` over.

    ``at`` is where the body stands in the text; it does not count when steps are compared.
    """

    body: Op | Skip | Join | Chain
    name: str = ""
    times: int = 1
    at: int | None = field(default=None, compare=False, repr=False)


Chain = tuple[Step, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Spec:
    """A network written down: ``str`` gives its text, ``build`` a module, `eyeshot.analyze` its fields.

    ``rank`` is the number of spatial axes (None: that of the input, else two), ``input`` the shape of one sample with its
    channels in front, if the text has them. ``name`` and ``source`` (the text it was read from) do not count when specs
    are compared.
    """

    chain: Chain
    rank: int | None = None
    input: tuple[int, ...] | None = None
    name: str = field(default="", compare=False)
    source: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"<Spec {self}>"

    def __str__(self) -> str:
        from eyeshot.frontends.spec.printing import text_of

        return text_of(self)

    def build(
        self, framework: Literal["torch"] = "torch", input_size: Sequence[int] | None = None
    ) -> nn.Module:
        """A module of a framework that computes the same network, with fresh weights, in eval mode.

        It is made for inputs of ``input_size``, by default those that `eyeshot.analyze` takes, and for others of as many
        channels; layers behind ``flatten`` need the extents, too. Its submodules have the names of the report's rows.

        Raises
        ------
        SpecError, InputError
            where the network, or the input, does not fit together; for a framework that is none.
        MissingExtraError
            where the framework is not installed.
        """
        if framework != "torch":
            raise InputError(f'a spec builds no {framework!r}: it builds "torch" modules')
        if find_spec("torch") is None:
            raise MissingExtraError('building a module needs PyTorch: pip install "eyeshot[torch]"')
        from eyeshot.frontends.spec.building import build

        return build(self, None if input_size is None else tuple(input_size))


def labelled(op: Op) -> dict[str, Sizes]:
    """The numbers of an op by their letters, as they were written."""
    return {letter: getattr(op, name) for letter, name in LETTERS.items() if getattr(op, name)}
