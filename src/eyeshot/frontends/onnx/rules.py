"""Functions registered for operators: how a node's attributes and inputs become their arguments."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import CO_VARARGS, CO_VARKEYWORDS
from typing import TYPE_CHECKING, Any

from eyeshot.errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_DOMAIN = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A function for an operator from opset ``since`` on.

    Its positional parameters (after ``ctx``) are the operator's inputs, its keyword-only ones the attributes that it
    needs to know; a parameter without a default is required. ``dtypes`` are those of the outputs: None
    stands for the first input's.
    """

    function: Callable[..., Any]
    since: int
    dtypes: tuple[str | None, ...]
    fewest: int
    most: int | None
    attributes: frozenset[str] | None
    required: tuple[str, ...]

    @staticmethod
    def of(function: Callable[..., Any], since: int, dtypes: tuple[str | None, ...]) -> Rule:
        """Read off a function's signature."""
        code = function.__code__
        positional = code.co_argcount - 1
        keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        defaults = function.__kwdefaults__ or {}
        return Rule(
            function,
            since,
            dtypes,
            positional - len(function.__defaults__ or ()),
            None if code.co_flags & CO_VARARGS else positional,
            None if code.co_flags & CO_VARKEYWORDS else frozenset(keywords),
            tuple(name for name in keywords if name not in defaults),
        )

    def call(self, ctx: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
        """The function of these inputs (None where one is left out) and attributes.

        Raises
        ------
        FileFormatError
            where the node, which ``ctx.label`` describes, has too few or too many inputs, or lacks an attribute.
        """
        count = len(inputs)
        while count > self.fewest and inputs[count - 1] is None:
            count -= 1
        inputs = inputs[:count]
        if count < self.fewest or any(each is None for each in inputs[: self.fewest]):
            raise FileFormatError(f"{ctx.label} lacks an input: it takes at least {self.fewest}")
        if self.most is not None and len(inputs) > self.most:
            raise FileFormatError(f"{ctx.label} has {len(inputs)} inputs, and takes {self.most} at most")
        kept = (
            attributes
            if self.attributes is None
            else {name: value for name, value in attributes.items() if name in self.attributes}
        )
        for name in self.required:
            if name not in kept:
                raise FileFormatError(f"{ctx.label} lacks its attribute {name!r}")
        return self.function(ctx, *inputs, **kept)


class Registry(dict[tuple[str, str], list[Rule]]):
    """Rules by (domain, operator), the newest first."""

    def add(self, domain: str, op: str, rule: Rule) -> None:
        """Register; one rule an operator and opset.

        Raises
        ------
        ValueError
            where there is one already.
        """
        rules = self.setdefault((domain, op), [])
        if any(other.since == rule.since for other in rules):
            raise ValueError(f"{op} has two rules since opset {rule.since}")
        rules.append(rule)
        rules.sort(key=lambda each: -each.since)

    def find(self, domain: str, op: str, opset: int) -> Rule | None:
        """The rule of an operator in an opset."""
        for rule in self.get((domain, op), ()):
            if rule.since <= opset:
                return rule
        return None
