"""A proof for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from eyeshot.fields import Proof

MOST = 12
"""Mismatches that are listed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was compared, what differs, and what each oracle cannot see; print it with rich."""

    proof: Proof

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        proof = self.proof
        yield Text.assemble((proof.model, "bold"), "  on ", (proof.input, "bold"))
        yield line(proof)
        for oracle in proof.oracles:
            one_way = f", {oracle.one_way:,} of them in one direction" if oracle.one_way else ""
            yield Text(f"  {oracle.name}: {oracle.cells:,} cells of {oracle.tensors} tensors{one_way}")
            for spot in proof.blind_spots.get(oracle.name, ()):
                yield Text(f"      blind spot: {spot}", "dim")
        for mismatch in proof.mismatches[:MOST]:
            yield Text.assemble(("mismatch: ", "bold red"), str(mismatch))
        if len(proof.mismatches) > MOST:
            yield Text(f"and {len(proof.mismatches) - MOST} more (--json lists them all)", "red")


def line(proof: Proof) -> Text:
    """The outcome in one line."""
    return Text(str(proof), "bold green" if proof.clean else "bold red")
