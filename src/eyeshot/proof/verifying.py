"""`verify`: random units of a report, checked on the user's own model. Loads no framework until it is called."""

from __future__ import annotations

from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eyeshot.errors import MissingExtraError, QuestionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyeshot.execution.running import Setup
    from eyeshot.fields import Proof, Report


def verify(
    model: Any,
    report: Report,
    units: int = 64,
    seed: int = 0,
    *,
    elements: int = 4,
    inputs: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    weights: str | None = None,
) -> Proof:
    """Check a report on its model with two oracles that share nothing with the analyses.

    The **linearised gradient** finds all that ``units`` random units, of tensors at all depths, depend on. The **NaN
    probe** poisons slabs and ``elements`` single places of the input in real forwards, and looks at every unit of every
    tensor that a module returns. The model is the same afterwards. A mismatch is reported, never raised.

    Parameters
    ----------
    model
        What the report was made of: a module, in the mode that it was read in, or a reference.
    inputs, kwargs
        As `eyeshot.analyze` took them, with real elements. Without them the one input is drawn at random.
    weights
        A ``.safetensors`` file for a referenced model; without it, its random ones.

    Raises
    ------
    EyeshotError
        where the model cannot be run on such inputs, or the report is a local view.

    Examples
    --------
    >>> report = eyeshot.analyze("timm:resnet18", input_size=(1, 3, 64, 64))
    >>> proof = eyeshot.verify("timm:resnet18", report)
    >>> len(proof.mismatches)
    0
    """
    if find_spec("torch") is None:
        raise MissingExtraError(
            f'verifying {report.model} runs it in PyTorch, which is not installed: pip install "eyeshot[torch]"'
        )
    from eyeshot.execution.arguments import set_up

    if report.shown != "full":
        raise QuestionError(
            "a proof is about full fields, not those without global context: pass report.view('full')"
        )
    if units < 0 or elements < 0:
        raise QuestionError(f"units={units} and elements={elements} are numbers of things to check, from 0")
    setup = set_up(model, report, seed, inputs, kwargs, weights)
    return _proof(report, setup, units, seed, elements)


def _proof(report: Report, setup: Setup, units: int, seed: int, elements: int) -> Proof:
    from eyeshot.execution.running import explained
    from eyeshot.fields import Proof
    from eyeshot.proof.blind import spots
    from eyeshot.proof.compare import GRADIENT, NAN, Comparison, Tally
    from eyeshot.proof.gradient import record

    began = perf_counter()
    with setup.unchanged(seed):
        with explained(report.model):
            recording = record(setup)
        comparison = Comparison(report, setup, recording, seed)
        gradient = comparison.gradients(units)
        nan = Tally(NAN)
        if setup.x.is_floating_point() and not recording.scalars:
            nan = comparison.nan(elements)
    tallies = (nan, gradient)
    return Proof(
        model=report.model,
        input=report.input,
        seed=seed,
        units=units,
        elements=elements,
        oracles=tuple(tally.done() for tally in tallies),
        mismatches=tuple(each for tally in tallies for each in tally.mismatches),
        blind_spots={NAN: spots(comparison, nan, NAN), GRADIENT: spots(comparison, gradient, GRADIENT)},
        seconds=perf_counter() - began,
    )
