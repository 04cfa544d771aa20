"""A report: every field of one network, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from eyeshot.cost import Cost, Costs, activation_bytes
from eyeshot.errors import QuestionError
from eyeshot.fields.axes import input_axes
from eyeshot.fields.field import Field, View
from eyeshot.fields.influence import Influence
from eyeshot.fields.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from eyeshot.analyses.paths import Spectrum
    from eyeshot.fields.axes import InputAxes
    from eyeshot.fields.proof import Proof
    from eyeshot.fields.source import Enlarged
    from eyeshot.geometry import Box
    from eyeshot.graph import Graph


class Report(Mapping[str, Field]):
    """An ordered mapping from module path to the `Field` of that module's output, in the order of execution.

    Any name of ``tensors`` and ``outputs`` works as a key too. A report is about one input (``input``) and one view
    (``shown``: "full" or "local", which leaves out global context).
    """

    def __init__(
        self, graph: Graph, model: str, spatial: Mapping[str, InputAxes], *, input_: str | None = None, view: View = "full",
        provenance: Mapping[str, Any] | None = None, enlarged: Enlarged | None = None,
        sources: dict[tuple[str, int, InputAxes], Source] | None = None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.model = model
        self.spatial = dict(spatial)
        self.input = input_ or next(iter(spatial))
        self.shown = view
        self.provenance = dict(provenance or {})
        self.proof: Proof | None = None
        self._enlarged = enlarged
        self._sources = {} if sources is None else sources

    # The mapping

    @cached_property
    def _modules(self) -> dict[str, Field]:
        return {
            module.name: self._field(
                module.name, module.kind, module.node, self._module_costs[module.name], module.dtype
            )
            for module in self.graph.modules
            if module.path
        }

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {field.name: field for field in (*self.outputs, *self.tensors)} | self._modules

    def __getitem__(self, name: str) -> Field:
        field = self._by_name.get(name)
        if field is None:
            near = get_close_matches(str(name), self._by_name, 3)
            hint = (
                f"did you mean {', '.join(map(repr, near))}?" if near else "report.keys() lists the modules."
            )
            raise QuestionError(f"{self.model} computed nothing called {name!r}: {hint}")
        return field

    def get(self, name: str, default: Any = None) -> Any:
        """The field of that name, or ``default``."""
        return self._by_name.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __repr__(self) -> str:
        held = f"{len(self)} modules, {len(self.tensors)} tensors"
        return f"<Report {self.model}: {held}, input {self.input!r}, {self.shown}>"

    # What it holds

    @cached_property
    def tensors(self) -> list[Field]:
        """One field for every floating-point tensor that was computed, in order."""
        costs = self._costs
        return [
            self._field(tensor.name, tensor.op, tensor.node, costs.of_tensor(tensor), tensor.dtype)
            for tensor in self.graph.tensors
            if tensor.floating
        ]

    @cached_property
    def outputs(self) -> list[Field]:
        """The fields of the network's outputs."""
        return [self._output(name, node) for name, node in self.graph.outputs.items()]

    @property
    def notes(self) -> list[str]:
        """What the capture has to say: a real forward, train mode."""
        return self.graph.notes

    @cached_property
    def cost(self) -> Cost:
        """The whole network; ``activation_bytes`` sums every tensor computed."""
        tensors = [self._costs.of_tensor(tensor) for tensor in self.graph.tensors]
        return Cost(
            sum(self._costs.owned.values()),
            sum(cost.macs for cost in tensors),
            sum(cost.activation_bytes for cost in tensors),
        )

    @property
    def axes(self) -> str:
        """A letter for each spatial axis of the input."""
        return self.spatial[self.input].letters

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input that the report is about."""
        return self.graph.nodes[self.graph.inputs[self.input]].shape

    def attach(self, proof: Proof) -> Report:
        """Keep what `eyeshot.verify` found beside these fields (``proof``), for views and JSON; the report itself."""
        if (proof.model, proof.input) != (self.model, self.input):
            raise QuestionError(
                f"this proof is about input {proof.input!r} of {proof.model}, "
                f"the report about {self.input!r} of {self.model}"
            )
        self.proof = proof
        return self

    # Other questions

    def view(self, view: View) -> Report:
        """The same report, "full" or "local" (without global context)."""
        if view not in get_args(View):
            raise QuestionError(f'there is no view {view!r}: it is "full" or "local"')
        return self._again(self.input, view)

    def about(self, name: str, axes: str | None = None) -> Report:
        """The same report about another input, or about other axes of one: "channels", "batch", ... (`input_axes`)."""
        if name not in self.spatial:
            raise QuestionError(
                f"{self.model} has no input {name!r}; its inputs are {', '.join(map(repr, self.spatial))}"
            )
        if axes is None:
            return self._again(name, self.shown)
        node = self.graph.nodes[self.graph.inputs[name]]
        other = input_axes(node.shape, name, axes, self.spatial[name].layout)
        return self._again(name, self.shown, {**self.spatial, name: other})

    def field(
        self,
        name: str,
        *,
        input: str | None = None,  # noqa: A002 - the field's word
        wrt: str | None = None,
        axes: str | None = None,
        layout: str | None = None,
    ) -> Field:
        """The field of a tensor on another input, on other axes, or on an earlier tensor (``wrt``).

        ``axes`` are "spatial", "channels", "batch", "time", "tokens", "all" or letters. ``layout`` names the earlier
        tensor's axes where the default for its rank is wrong: ``"NTC"`` for tokens.
        """
        report = self.about(input or self.input, axes)
        field = report[name]
        if wrt is None:
            return field
        if wrt in self.spatial:
            return self.about(wrt, axes)[name]
        other = report[wrt]
        asked = input_axes(other.shape, other.name, axes or "spatial", layout)
        source = self._source(other.name, other.node, asked)
        if other.node not in self.graph.ancestors([field.node]):
            raise QuestionError(f"{name!r} does not depend on {wrt!r}; ask for a later tensor")
        return Field(
            field.name, field.op, field.shape, field.node, source, self.shown, field.cost, field.dtype
        )

    def influence(self, *element: int | slice | Box | None) -> Influence:
        """The projective field: for every tensor, by name, the units that see an input element, on its spatial axes.

        The element is a full index (n, c, h, w) of the input the report is about; None, or a slice, in a place stands
        for any element there. A `Box` (on the report's axes) stands for any element inside it.
        """
        return Influence(self, element)

    def paths(self, name: str) -> tuple[Spectrum, ...]:
        """How many paths through the network lead from the input to a tensor, by field size: exact integers.

        One `Spectrum` (a mapping from size to number) an axis.
        """
        field = self[name]
        return tuple(paths.spectrum(field.node, local=self.shown == "local") for paths in field.source.paths)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, schema version 1 (see :mod:`eyeshot.fields.export`)."""
        from eyeshot.fields.export import document

        return document(self).model_dump(mode="json", by_alias=True)

    def to_json(self, path: str | Path | None = None) -> str:
        """The report as JSON text, written to ``path`` if given."""
        from eyeshot.fields.export import write

        return write(self, path)

    def records(self) -> list[dict[str, Any]]:
        """One flat record a module, for ``pandas.DataFrame(report.records())``."""
        from eyeshot.fields.export import records

        return records(self)

    # Making fields

    @cached_property
    def _costs(self) -> Costs:
        return Costs(self.graph)

    @cached_property
    def _module_costs(self) -> dict[str, Cost]:
        nodes = self.graph.nodes
        return {
            module.name: self._costs.of_module(module, nodes[module.node].shape)
            for module in self.graph.modules
        }

    def _field(self, name: str, op: str, node: int, cost: Cost, dtype: str) -> Field:
        axes = self.spatial[self.input]
        source = self._source(self.input, self.graph.inputs[self.input], axes)
        return Field(name, op, self.graph.nodes[node].shape, node, source, self.shown, cost, dtype)

    def _output(self, name: str, node: int) -> Field:
        dtype = self.graph.dtypes.get(name, "float32")
        size = activation_bytes(self.graph.nodes[node].shape, dtype)
        return self._field(name, "output", node, Cost(0, 0, size), dtype)

    def _source(self, name: str, node: int, axes: InputAxes) -> Source:
        key = (name, node, axes)
        if key not in self._sources:
            again = self._enlarged if list(self.graph.inputs.values()) == [node] else None
            self._sources[key] = Source(self.graph, name, node, axes, again)
        return self._sources[key]

    def _again(self, name: str, view: View, spatial: Mapping[str, InputAxes] | None = None) -> Report:
        return Report(
            self.graph,
            self.model,
            spatial or self.spatial,
            input_=name,
            view=view,
            provenance=self.provenance,
            enlarged=self._enlarged,
            sources=self._sources,
        )
