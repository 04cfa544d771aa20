"""Names of tensors: those of a graph, and around them those of the graphs that it lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from eyeshot.frontends.onnx.context import Item


class Scope:
    """One graph's names; ``attributes`` are those of the function that it lies in, ``opsets`` the versions it means.

    ``prefix`` stands before the names of its tensors where the graph is the body of a function.
    """

    def __init__(
        self,
        opsets: Mapping[str, int],
        outer: Scope | None = None,
        attributes: Mapping[str, Any] | None = None,
        prefix: str = "",
    ) -> None:
        self.items: dict[str, Item] = {}
        self.opsets, self.outer, self.attributes, self.prefix = opsets, outer, attributes or {}, prefix

    def inside(self) -> Scope:
        """The scope of a subgraph, which sees the names here."""
        return Scope(self.opsets, self, self.attributes, self.prefix)

    def find(self, name: str) -> Item:
        """What a name stands for, here or further out.

        Raises
        ------
        KeyError
            where nothing has that name.
        """
        scope: Scope | None = self
        while scope is not None:
            if name in scope.items:
                return scope.items[name]
            scope = scope.outer
        raise KeyError(name)
