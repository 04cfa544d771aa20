"""From a parsed model to a graph of relations."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter, defaultdict
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

from eyeshot.errors import (
    EyeshotError,
    FileFormatError,
    GraphError,
    InputError,
    UnsafeFileError,
    UnsupportedOpError,
)
from eyeshot.frontends.onnx.context import LOWERINGS, Context, Item, Value
from eyeshot.frontends.onnx.elements import Elements, Pool
from eyeshot.frontends.onnx.model import Attribute, Declared, Function, Graph, Model, Node
from eyeshot.frontends.onnx.naming import Record
from eyeshot.frontends.onnx.scope import Scope
from eyeshot.frontends.onnx.tensors import dtype_name
from eyeshot.frontends.onnx.values import EVALUATIONS, Call
from eyeshot.frontends.onnx.wire import Reader
from eyeshot.graph import Ref, Tensor
from eyeshot.graph.masks import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eyeshot.frontends.files import Budget
    from eyeshot.frontends.onnx.rules import Rule
    from eyeshot.frontends.registry import OnUnknown

UNKNOWN = "unknown-op"
DEEPEST = 64
_DEFAULTS = {"ai.onnx": ""}
_LEARNED = ("float", "bfloat", "int8", "uint8", "int4", "uint4", "int2", "uint2", "complex")


@cache
def load_lowerings() -> None:
    """Import every file of lowerings and evaluations once."""
    for name in ("ops", "evaluations"):
        package = importlib.import_module(f"eyeshot.frontends.onnx.{name}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")


class Lowering:
    """One model on its way to a graph; ``records`` tells what each node of the outermost graph became."""

    def __init__(self, model: Model, budget: Budget, on_unknown: OnUnknown = "error") -> None:
        load_lowerings()
        assert model.graph is not None
        self.model, self.budget, self.on_unknown = model, budget, on_unknown
        self.ctx = Context(budget)
        self.ctx.run = self._run
        self.ctx.declared = self._declaration
        self.functions = {(_domain(each.domain), each.name, each.overload): each for each in model.functions}
        self.records: list[Record] = []
        self.weights: dict[str, int] = {}
        self._scope = Scope(_opsets(model.opsets))
        self._depth = 0
        self._pool = Pool()
        self._names: Counter[str] = Counter()
        self._cut: list[tuple[Tensor, Ref]] = []

    def lower(self, inputs: Mapping[str, Item]) -> None:
        """Lower the whole model; ``inputs`` has an item for each of the graph's inputs.

        Raises
        ------
        UnsupportedOpError, InputError, FileFormatError, UnsafeFileError
            see :mod:`eyeshot.errors`.
        """
        graph = self.model.graph
        assert graph is not None
        self._constants(graph, self._scope)
        self._scope.items.update(inputs)
        self._nodes(graph.nodes, self._scope, top=True)
        for tensor, ref in self._cut:
            tensor.node = plain(self.ctx, ref).node
        for declared in graph.outputs:
            self._output(declared.name, self._item(declared.name, self._scope, graph.name))

    def _output(self, name: str, item: Item) -> None:
        """Name an output; the parts of a sequence by their places."""
        if isinstance(item, list):
            for place, part in enumerate(item):
                self._output(f"{name}.{place}", part)
        elif isinstance(item, Value):
            self.ctx.graph.outputs[name] = plain(self.ctx, item.ref).node
            self.ctx.graph.dtypes[name] = item.dtype
        elif item is not None:
            raise FileFormatError(f"{self.budget.name}: the output {name!r} holds what is no tensor")

    def _refuse_unknown(self) -> None:
        """Raise for ops without a rule and without a body, all at once."""
        missing: dict[str, list[str]] = defaultdict(list)
        assert self.model.graph is not None
        bodies = [(self.model.graph.nodes, _opsets(self.model.opsets))]
        bodies += [(each.nodes, _opsets(each.opsets)) for each in self.model.functions]
        while bodies:
            nodes, opsets = bodies.pop()
            for node in nodes:
                rule, function = self._rule(node, opsets)
                if rule is None and function is None:
                    missing[_op_name(node)].append(node.name or next(iter(node.outputs), ""))
                bodies += [(graph.nodes, opsets) for each in node.given for graph in _graphs(each)]
        if missing:
            raise UnsupportedOpError(missing)

    def _rule(self, node: Node, opsets: Mapping[str, int]) -> tuple[Rule | None, Function | None]:
        domain = _domain(node.domain)
        function = self.functions.get((domain, node.op, node.overload))
        if function is not None:
            return None, function
        return LOWERINGS.find(domain, node.op, opsets.get(domain, 1)), None

    def _constants(self, graph: Graph, scope: Scope) -> None:
        for blob in graph.constants:
            shape = self.budget.shape(blob.shape, f"the tensor {blob.name!r}")
            elements = (
                Elements(blob.array, (), self._pool) if prod(shape) <= self.budget.limits.constant else None
            )
            value = scope.items[blob.name] = Value(self.ctx.constant(shape), blob.dtype, elements)
            self.weights[blob.name] = _learned(value)
        for sparse in graph.sparse:
            if sparse.values is not None:
                shape = self.budget.shape(sparse.shape, f"the tensor {sparse.values.name!r}")
                scope.items[sparse.values.name] = Value(self.ctx.constant(shape), sparse.values.dtype)

    def _nodes(self, nodes: Iterable[Node], scope: Scope, *, top: bool = False) -> None:
        tensors = self.ctx.graph.tensors
        for node in nodes:
            self.budget.node(max(1, len(node.outputs)))
            before = len(tensors)
            inputs = [self._item(name, scope, node.name) if name else None for name in node.inputs]
            outputs = self._lowered(node, inputs, scope)
            own = len(tensors)
            for name, item in zip(node.outputs, outputs, strict=False):
                if name:
                    scope.items[name] = item
                    if isinstance(item, Value):
                        self._name(node, name, item, scope)
            if len(tensors) > own:
                tensors[own].macs = self.ctx.macs
            weights = self._weights(node, scope, constant=len(tensors) == own)
            if top and len(tensors) > own:
                self.records.append(Record(node, before, own, len(tensors), weights))

    def _weights(self, node: Node, scope: Scope, *, constant: bool) -> int:
        """Elements of the weights that this node is the first to use; made of weights alone, it hands them on."""
        running = 3 if node.op == "BatchNormalization" else len(node.inputs)
        count = sum(self.weights.pop(name, 0) for name in node.inputs[:running])
        if node.op == "Constant" and node.outputs:
            item = scope.items.get(node.outputs[0])
            count = _learned(item) if isinstance(item, Value) else 0
        if constant and count and node.outputs:
            self.weights[node.outputs[0]] = count
        return 0 if constant else count

    def _item(self, name: str, scope: Scope, where: str) -> Item:
        try:
            return scope.find(name)
        except KeyError as error:
            raise FileFormatError(
                f"{self.budget.name}: {where!r} reads {name!r}, which nothing before it computes"
            ) from error

    def _lowered(self, node: Node, inputs: list[Item], scope: Scope) -> list[Item]:
        ctx = self.ctx
        ctx.node, ctx.inputs, ctx.macs = node, inputs, 0
        ctx.opset = scope.opsets.get(_domain(node.domain), 1)
        rule, function = self._rule(node, scope.opsets)
        attributes = node.attributes
        references = node.references
        if references:
            found = {
                name: scope.attributes[outer]
                for name, outer in references.items()
                if outer in scope.attributes
            }
            attributes = {**attributes, **found}
        if function is not None:
            return self._call(function, node, inputs, attributes, scope)
        if rule is None:
            if self.on_unknown == "error":
                self._refuse_unknown()
            return self._unknown(node, inputs)
        arguments = [item.ref if isinstance(item, Value) else item for item in inputs]
        outer = self._scope
        self._scope = scope
        try:
            result = rule.call(ctx, arguments, attributes)
        except GraphError as error:
            raise FileFormatError(f"{ctx.label} does not fit its inputs: {error}") from error
        except EyeshotError:
            raise
        except _FAILURES as error:
            shapes = [item.ref.shape if isinstance(item, Value) else item for item in inputs]
            raise FileFormatError(
                f"{ctx.label} does not fit its inputs, of shapes {shapes}: {type(error).__name__} {error}"
            ) from error
        finally:
            self._scope = outer
        return self._outputs(rule, node, inputs, attributes, result)

    def _outputs(
        self, rule: Rule, node: Node, inputs: list[Item], attributes: Mapping[str, Any], result: Any
    ) -> list[Item]:
        """What a lowering gave, with dtypes, and elements where they follow from those of the inputs."""
        listed = result if isinstance(result, list) else [result]
        first = next((item.dtype for item in inputs if isinstance(item, Value)), "float32")
        loose = any(isinstance(item, Value) and item.loose for item in inputs)
        outputs: list[Item] = []
        for place, given in enumerate(listed):
            if isinstance(given, Ref):
                stated = rule.dtypes[min(place, len(rule.dtypes) - 1)]
                outputs.append(Value(given, stated or first, loose=loose))
            else:
                if loose and isinstance(given, Value) and not self.ctx.is_constant(given.ref):
                    given.loose = True
                outputs.append(given)
        self._evaluated(node, inputs, attributes, outputs)
        return outputs

    def _evaluated(
        self, node: Node, inputs: list[Item], attributes: Mapping[str, Any], outputs: list[Item]
    ) -> None:
        """Attach to outputs how their elements follow from those of the inputs."""
        evaluation = EVALUATIONS.find(_domain(node.domain), node.op, self.ctx.opset)
        if evaluation is None or not all(
            item is None or (isinstance(item, Value) and item.elements is not None) for item in inputs
        ):
            return
        operands = [item.elements if isinstance(item, Value) else None for item in inputs]
        values = [item for item in outputs if isinstance(item, Value)]
        if any(prod(value.ref.shape) > self.budget.limits.constant for value in values):
            return
        call = Call(
            node, self.ctx.opset, [value.ref.shape for value in values], [value.dtype for value in values]
        )
        for place, value in enumerate(values):
            if value.elements is None:
                value.elements = Elements(call.part(evaluation, attributes, place), operands, self._pool)

    def _unknown(self, node: Node, inputs: list[Item]) -> list[Item]:
        """An op without a lowering reads everything, if the file says what shapes it gives."""
        declared = self._declared
        outputs: list[Item] = []
        operands = [item.ref for item in inputs if isinstance(item, Value)]
        for name in node.outputs:
            found = declared.get(name)
            if name and found is None:
                raise InputError(
                    f"{_op_name(node)} at {node.name!r} has no lowering, and the file does not declare the shape of its "
                    f"output {name!r}, so it can't be taken to read everything either"
                )
            shape, dtype = found or ((), "float32")
            outputs.append(Value(self.ctx.dense(operands, shape, UNKNOWN), dtype))
        return outputs

    def _declaration(self, name: str) -> tuple[tuple[int, ...], str] | None:
        return self._declared.get(name)

    @property
    def _declared(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shapes and dtypes that the file declares for tensors inside, those with symbols left out."""
        graph = self.model.graph
        assert graph is not None
        reader = Reader(graph.data, self.budget.name, self.budget.limits.items, self.budget.limits.depth)
        named = [reader.read(Declared, *span) for span in graph.declared]
        found = {}
        for each in (*named, *graph.outputs):
            tensor = each.type.tensor if each.type else None
            if tensor is not None and tensor.shape is not None:
                extents = [axis.value for axis in tensor.shape.dims]
                if all(extent is not None for extent in extents):
                    found[each.name] = (
                        tuple(int(extent or 0) for extent in extents),
                        dtype_name(tensor.data_type),
                    )
        return found

    def _call(
        self, function: Function, node: Node, inputs: list[Item], attributes: Mapping[str, Any], scope: Scope
    ) -> list[Item]:
        """The body of a function that the model brings, in the place of a node."""
        defaults = {each.name: each.value for each in function.defaults}
        prefix = f"{scope.prefix}{node.name or node.op}/"
        inner = Scope(_opsets(function.opsets), None, {**defaults, **attributes}, prefix)
        padded = [*inputs, *[None] * (len(function.inputs) - len(inputs))]
        inner.items.update(zip(function.inputs, padded, strict=False))
        return self._body(function.nodes, function.outputs, inner)

    def _run(self, graph: Graph, inputs: Sequence[Item]) -> list[Item]:
        """A subgraph of the node at hand, with the names around it."""
        inner = self._scope.inside()
        self._constants(graph, inner)
        inner.items.update(zip([declared.name for declared in graph.inputs], inputs, strict=False))
        return self._body(graph.nodes, [declared.name for declared in graph.outputs], inner)

    def _body(self, nodes: Sequence[Node], outputs: Sequence[str], inner: Scope) -> list[Item]:
        ctx = self.ctx
        held = ctx.node, ctx.inputs, ctx.opset, self._scope
        self._depth += 1
        if self._depth > DEEPEST:
            raise UnsafeFileError(f"{self.budget.name} nests more than {DEEPEST} bodies: refused")
        self._nodes(nodes, inner)
        found = [self._item(name, inner, "a body") for name in outputs]
        self._depth -= 1
        ctx.node, ctx.inputs, ctx.opset, self._scope = held
        ctx.macs = 0
        return found

    def _name(self, node: Node, name: str, value: Value, scope: Scope) -> None:
        """Name a tensor, unless it is constant; a name that comes again gets a number."""
        ref = value.ref
        if self.ctx.is_constant(ref):
            return
        full = scope.prefix + name
        visit = self._names[full]
        self._names[full] += 1
        tensor = Tensor(
            f"{full}:{visit}" if visit else full, node.op, ref.node, ref.shape, value.dtype, node.name or full
        )
        self.ctx.graph.tensors.append(tensor)
        if ref.cut is not None:
            self._cut.append((tensor, ref))


_FAILURES = (
    TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError, AssertionError, RecursionError,
    MemoryError,
)  # fmt: skip


def _domain(name: str) -> str:
    return _DEFAULTS.get(name, name)


def _opsets(listed: Iterable[Any]) -> dict[str, int]:
    return {_domain(each.domain): each.version for each in listed}


def _op_name(node: Node) -> str:
    return f"{node.domain}.{node.op}" if _domain(node.domain) else node.op


def _learned(value: Value) -> int:
    """Elements of a constant that may be a weight: of whole numbers only the short ones of quantized networks are."""
    return prod(value.ref.shape) if value.ref.shape and value.dtype.startswith(_LEARNED) else 0


def _graphs(attribute: Attribute) -> list[Graph]:
    return [*([attribute.g] if attribute.g else []), *attribute.graphs]
