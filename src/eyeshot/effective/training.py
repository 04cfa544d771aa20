"""Effective fields while a network trains: how much more, or less, of its field it learns to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from eyeshot.effective.measure import effective_field
from eyeshot.errors import InputError, MissingExtraError
from eyeshot.pipeline import analyze

if TYPE_CHECKING:
    from eyeshot.fields import Report

Record = dict[str, Any]


class Monitor:
    """Measures the effective fields of some layers of a network again and again.

    ``images`` stay the same for all measurements: an array, or a number of random ones. ``layers`` are names of the
    report, measured at their central units; ``every`` is the number of calls from one measurement to the next. ``log`` is
    called with a dictionary of plain numbers (``"effective/layer2": side``) and the step. ``history`` has a record for each
    layer and measurement: step, layer, ``side`` of the square that an effective field would fill, ``theoretical``, their
    ``ratio``.

    >>> monitor = Monitor(["layer2", "layer4"], images=8, input_size=(1, 3, 64, 64), every=100)
    >>> for step, batch in enumerate(loader):
    ...     train(model, batch)
    ...     monitor(model, step)
    """

    def __init__(
        self,
        layers: Sequence[str],
        images: Any = 8,
        *,
        every: int = 1,
        input_size: Sequence[int] | None = None,
        protocol: str = "plain",
        method: str = "gradient",
        log: Callable[[Mapping[str, float], int], None] | None = None,
    ) -> None:
        if every < 1 or not layers or isinstance(layers, str):
            raise InputError(
                f"every={every} and layers={layers!r}: give a number from 1, and a list of names"
            )
        self.layers, self.images, self.every = tuple(layers), images, every
        self.input_size, self.protocol, self.method, self.log = input_size, protocol, method, log
        self.history: list[Record] = []
        self._calls = 0
        self._report: Report | None = None

    def __call__(self, model: Any, step: int | None = None) -> list[Record]:
        """Count a step; where one is due, measure, and return the new records. The model is left in the mode it is in.

        Raises
        ------
        EyeshotError
            as `eyeshot.effective_field`.
        """
        due, step = self._calls % self.every == 0, self._calls if step is None else step
        self._calls += 1
        return self.measure(model, step) if due else []

    def measure(self, model: Any, step: int) -> list[Record]:
        """Measure now, in eval mode: fields are those of the network in use."""
        training = getattr(model, "training", False)
        if training:
            model.eval()
        try:
            found = [self._record(model, layer, step) for layer in self.layers]
        finally:
            if training:
                model.train()
        self.history += found
        if self.log is not None:
            self.log({f"effective/{record['layer']}": record["side"] for record in found}, step)
        return found

    def _record(self, model: Any, layer: str, step: int) -> Record:
        if self._report is None:
            shape = getattr(self.images, "shape", None)
            size = self.input_size or (None if shape is None else (1, *shape[1:]))
            self._report = analyze(model, size)
        field = effective_field(
            model, self.images, layer, method=self.method, protocol=self.protocol, report=self._report
        )
        theoretical = field.theoretical
        side = 0.0 if field.dead else field.side
        return {
            "step": step,
            "layer": layer,
            "side": side,
            "theoretical": theoretical,
            "ratio": side / theoretical,
        }

    def lightning(self) -> Any:
        """A Lightning callback that calls the monitor after each training batch, and logs with the trainer's logger.

        Raises
        ------
        MissingExtraError
            where Lightning is not installed.
        """
        base = _base(("lightning.pytorch", "pytorch_lightning"), "Callback", "lightning")
        monitor = self

        def on_train_batch_end(_self: Any, trainer: Any, module: Any, *_rest: Any) -> None:
            records = monitor(module, trainer.global_step)
            for logger in trainer.loggers if records else ():
                logger.log_metrics(
                    {f"effective/{r['layer']}": r["side"] for r in records}, trainer.global_step
                )

        return type("EffectiveFields", (base,), {"on_train_batch_end": on_train_batch_end})()

    def transformers(self) -> Any:
        """A Hugging Face Trainer callback that calls the monitor after each step.

        Raises
        ------
        MissingExtraError
            where transformers is not installed.
        """
        base = _base(("transformers",), "TrainerCallback", "transformers")
        monitor = self

        def on_step_end(
            _self: Any, _args: Any, state: Any, _control: Any, model: Any = None, **_rest: Any
        ) -> None:
            for record in monitor(model, state.global_step):
                state.log_history.append(
                    {"step": state.global_step, f"effective/{record['layer']}": record["side"]}
                )

        return type("EffectiveFields", (base,), {"on_step_end": on_step_end})()


def _base(modules: Sequence[str], name: str, package: str) -> Any:
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except ImportError:
            continue
    raise MissingExtraError(
        f"a callback for {package} needs it, and it is not installed: pip install {package}"
    )
