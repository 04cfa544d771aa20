"""What a replay writes on: calls as a live capture would record them; what follows from constants alone is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyeshot.frontends.torch.exported.constants import evaluate
from eyeshot.frontends.torch.exported.known import TOTAL
from eyeshot.frontends.torch.trace import Call, Value, values_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.frontends.files import Budget

# Ops that read the shape of their operand and none of its elements.
SHAPE_ONLY = frozenset(
    "zeros_like ones_like empty_like full_like rand_like randn_like randint_like new_zeros new_ones new_empty new_full "
    "new_empty_strided".split()
)


class Tape:
    """Records into ``calls``; ``module`` and ``visit`` say whose forward runs now."""

    def __init__(self, budget: Budget) -> None:
        self.calls: list[Call] = []
        self.module = ""
        self.visit = 0
        self._budget = budget
        self._reshaped: dict[Value, Value] = {}
        self._left = TOTAL
        self._makers: dict[Value, Call] = {}

    def emit(
        self, op: str, args: tuple[Any, ...], kwargs: dict[str, Any], shape: tuple[int, ...], dtype: str
    ) -> Value:
        """An op with one output; going back through a reshape finds what was there before."""
        if op == "aten.view.default" and args[0].known is None:
            source: Value = self._reshaped.get(args[0], args[0])
            if source.shape == shape and source.dtype == dtype:
                return source
        value = self.record(op, args, kwargs, [(shape, dtype)])[0]
        if op == "aten.view.default" and value.known is None:
            self._reshaped[value] = self._reshaped.get(args[0], args[0])
        return value

    def record(
        self,
        op: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outputs: Sequence[tuple[tuple[int, ...], str]],
    ) -> list[Value]:
        """An op with any number of outputs, given by their shapes and dtypes."""
        self._budget.node()
        packet = op.split(".")[1] if op.count(".") else op
        operands = [] if packet in SHAPE_ONLY else list(values_in([args, kwargs]))
        if all(value.known is not None for value in operands):
            arrays = evaluate(op, args, kwargs, outputs, self._left)
            if arrays is not None:
                self._left -= sum(array.nbytes for array in arrays)
                return [
                    Value(shape, dtype, "constant", known=array)
                    for (shape, dtype), array in zip(outputs, arrays, strict=True)
                ]
        values = [Value(shape, dtype, "call" if operands else "constant") for shape, dtype in outputs]
        if operands:
            self.calls.append(Call(op, args, kwargs, tuple(values), self.module, self.visit))
            self._makers.update(dict.fromkeys(values, self.calls[-1]))
        return values

    def maker(self, value: Value, *ops: str) -> Call | None:
        """The first of a chain of calls that ends with a tensor: ``ops`` name them, the last one first."""
        call = None
        for op in ops:
            call = self._makers.get(value)
            if call is None or call.op != op:
                return None
            value = call.args[0]
        return call
