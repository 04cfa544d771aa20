"""From a trace of ATen calls to a graph of relations."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter, defaultdict
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from eyeshot.errors import GraphError, UnsupportedOpError
from eyeshot.frontends.torch.context import LOWERINGS, Context
from eyeshot.frontends.torch.macs import count_macs
from eyeshot.frontends.torch.ops.pointwise import MASKING
from eyeshot.frontends.torch.trace import Value, values_in
from eyeshot.graph import Graph, ModuleOutput, Ref, Tensor
from eyeshot.graph.masks import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyeshot.frontends.torch.trace import Call, ModuleCall, Trace

OnUnknown = Literal["error", "dense"]
UNKNOWN = "unknown-op"


@cache
def load_lowerings() -> None:
    """Import every file of lowerings once."""
    ops = importlib.import_module("eyeshot.frontends.torch.ops")
    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")


def lower(trace: Trace, on_unknown: OnUnknown = "error") -> Graph:
    """The graph of a trace.

    Raises
    ------
    UnsupportedOpError
        listing every op without a lowering, unless ``on_unknown`` is ``"dense"``.
    """
    load_lowerings()
    if on_unknown == "error":
        _refuse_unknown(trace)
    ctx = Context()
    refs: dict[Value, Ref] = {value: ctx.input(name, value.shape) for name, value in trace.inputs.items()}
    for call in trace.calls:
        _lower_call(ctx, call, refs)
    refs.update({value: plain(ctx, ref) for value, ref in refs.items() if ref.cut is not None})
    graph = ctx.graph
    graph.notes.extend(trace.notes)
    for path, value in trace.outputs.items():
        name = path.lstrip(".") or "output"
        graph.outputs[name], graph.dtypes[name] = _ref(ctx, value, refs).node, value.dtype
    _name(ctx, trace, refs)
    return graph


def _refuse_unknown(trace: Trace) -> None:
    """Raise for ops that depend on an input and have no lowering, all at once."""
    if all(call.op in LOWERINGS for call in trace.calls):
        return
    dependent = set(trace.inputs.values())
    missing: dict[str, list[str]] = defaultdict(list)
    for call in trace.calls:
        if dependent.isdisjoint(values_in([call.args, call.kwargs])):
            continue
        dependent.update(value for value in call.outputs if value is not None and value.known is None)
        if call.op not in LOWERINGS and call.module not in missing[call.op]:
            missing[call.op].append(call.module or "the model itself")
    unknown = {op: places for op, places in missing.items() if places}
    if unknown:
        raise UnsupportedOpError(unknown)


def _ref(ctx: Context, value: Value, refs: dict[Value, Ref]) -> Ref:
    if value not in refs and value in ctx.unsaid:
        refs[value] = ctx.dense(ctx.unsaid[value], value.shape, UNKNOWN)
    if value not in refs:
        constant = ctx.constant(value.shape)
        refs[value] = constant if value.known is None else constant._replace(known=value.known)
    return refs[value]


def _with_refs(ctx: Context, item: Any, refs: dict[Value, Ref], found: list[Ref]) -> Any:
    """An argument with a `Ref` in the place of every Value; they are appended to ``found``."""
    kind = type(item)
    if kind is Value:
        found.append(_ref(ctx, item, refs))
        return found[-1]
    if kind is list or kind is tuple:
        return kind([_with_refs(ctx, part, refs, found) for part in item])
    if kind is dict:
        return {key: _with_refs(ctx, part, refs, found) for key, part in item.items()}
    return item


def _masks(op: str, operands: list[Ref]) -> bool:
    """Whether a constant that nobody knows (a learned bias) is known to be -inf somewhere, or may become so."""
    return any(ref.cut is not None for ref in operands) or (
        op in MASKING and any(ref.known is not None for ref in operands)
    )


def _lower_call(ctx: Context, call: Call, refs: dict[Value, Ref]) -> None:
    outputs = [value for value in call.outputs if value is not None and value.known is None]
    operands: list[Ref] = []
    args, kwargs = (_with_refs(ctx, item, refs, operands) for item in (call.args, call.kwargs))
    if not outputs or (all(ctx.is_constant(ref) for ref in operands) and not _masks(call.op, operands)):
        return
    ctx.call = call
    function = LOWERINGS.get(call.op)
    if function is None:
        lowered: Sequence[Ref | None] = [ctx.dense(operands, value.shape, UNKNOWN) for value in outputs]
        refs.update(zip(outputs, [ref for ref in lowered if ref], strict=True))
        return
    result = function(ctx, *args, **kwargs)
    lowered = [result] if isinstance(result, Ref) else list(result or ())
    if len(lowered) > len(call.outputs):
        raise GraphError(f"{call.op} has {len(call.outputs)} outputs, its lowering gave {len(lowered)}")
    for value, ref in zip_longest(call.outputs, lowered):
        if value is None:
            continue
        if ref is None:
            ctx.unsaid[value] = operands
            continue
        if value.shape != ref.shape:
            raise GraphError(
                f"the lowering of {call.op} at {call.module or 'the model'} gave shape {ref.shape}, "
                f"the framework {value.shape}"
            )
        refs[value] = ref


def _name(ctx: Context, trace: Trace, refs: dict[Value, Ref]) -> None:
    """Give tensors and modules the names that users know: module path, ``:k`` for its k-th call, op and counter."""
    visits = Counter(call.path for call in trace.modules)
    owned: dict[Value, str] = {}
    for module in trace.modules:
        for part, value in module.outputs.items():
            if module.path:
                owned.setdefault(value, _module_name(module, part, visits))
    first_tensor = [0]
    counters: Counter[str] = Counter()
    for call in trace.calls:
        for position, output in enumerate(call.outputs):
            if output is not None and output in refs:
                name = owned.get(output) or _op_name(call, position, counters)
                ctx.graph.tensors.append(_tensor(name, call, output, refs[output], position))
        first_tensor.append(len(ctx.graph.tensors))
    parents = {module.path.rpartition(".")[0] for module in trace.modules if module.path}
    for module in trace.modules:
        for part, value in module.outputs.items():
            ctx.graph.modules.append(
                ModuleOutput(
                    _module_name(module, part, visits),
                    module.path,
                    module.kind,
                    _ref(ctx, value, refs).node,
                    module.path not in parents,
                    first_tensor[module.first_call],
                    first_tensor[module.last_call],
                    module.parameters,
                    value.dtype,
                )
            )


def _module_name(module: ModuleCall, part: str, visits: Counter[str]) -> str:
    visit = f":{module.visit}" if module.visit and visits[module.path] > 1 else ""
    return f"{module.path}{visit}{part}"


def _op_name(call: Call, position: int, counters: Counter[str]) -> str:
    short = call.op.split(".")[1].strip("_")
    base = f"{call.module}.{short}" if call.module else short
    if position:
        base = f"{base}.{position}"
    count = counters[base]
    counters[base] += 1
    return f"{base}_{count}" if count else base


def _tensor(name: str, call: Call, value: Value, ref: Ref, position: int) -> Tensor:
    macs = count_macs(call) if position == 0 else 0
    return Tensor(
        name,
        call.op,
        ref.node,
        value.shape,
        value.dtype,
        call.module,
        macs,
        (call.args, call.kwargs),
    )
