"""Symbolic extents: the expressions in which an exported program writes shapes, evaluated by plain arithmetic.

torch writes them as SymPy's ``srepr``: ``FloorDiv(Symbol('s53', positive=True, integer=True), Integer(2))``.
Names of functions are looked up in a table; nothing is ever handed to an interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, isfinite, prod
from typing import Any, cast

from eyeshot.errors import FileFormatError

Number = int | float | Fraction

LONGEST = 4096
DEEPEST = 64
LARGEST = 1 << 63

_TOKEN = re.compile(
    r"\s*(?:([A-Za-z_][\w.]*)|(-?\d{1,20}(?:\.\d{0,30})?(?:[eE][-+]?\d{1,3})?)|('[^'\\]*')|([(),=]))"
)
_WHITESPACE = re.compile(r"\s*\Z")


@dataclass(frozen=True, slots=True)
class Expression:
    """A function of expressions, a symbol (``name`` without ``arguments``) or a number (``value``)."""

    name: str
    arguments: tuple[Expression, ...] = ()
    value: Number | None = None

    def symbols(self) -> Iterator[str]:
        """The names of the symbols inside."""
        if self.value is None and not self.arguments:
            yield self.name
        for part in self.arguments:
            yield from part.symbols()


def _modulo(a: Number, b: Number) -> Number:
    return a % b


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        exponent = int(exponent)
    if abs(exponent) > DEEPEST or (base < 0 and not isinstance(exponent, int)):
        raise OverflowError
    return Fraction(base) ** exponent if isinstance(exponent, int) else float(base) ** float(exponent)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": lambda *terms: sum(terms),
    "Mul": lambda *factors: prod(factors),
    "Pow": _power,
    "PowByNatural": _power,
    "FloatPow": lambda a, b: _power(float(a), float(b)),
    "FloorDiv": lambda a, b: a // b,
    "CleanDiv": lambda a, b: a // b,
    "CeilDiv": lambda a, b: -(-a // b),
    "IntTrueDiv": lambda a, b: a / b,
    "FloatTrueDiv": lambda a, b: a / b,
    "Mod": _modulo,
    "PythonMod": _modulo,
    "ModularIndexing": lambda a, b, c: a // b % c,
    "Max": max,
    "Min": min,
    "Abs": abs,
    "floor": floor,
    "ceiling": ceil,
    "FloorToInt": floor,
    "CeilToInt": ceil,
    "TruncToInt": int,
    "RoundToInt": round,
    "ToFloat": float,
    "Identity": lambda a: a,
    "Where": lambda condition, a, b: a if condition else b,
    "Equality": lambda a, b: a == b,
    "Unequality": lambda a, b: a != b,
    "StrictGreaterThan": lambda a, b: a > b,
    "StrictLessThan": lambda a, b: a < b,
    "GreaterThan": lambda a, b: a >= b,
    "LessThan": lambda a, b: a <= b,
    "And": lambda *parts: all(parts),
    "Or": lambda *parts: any(parts),
    "Not": lambda part: not part,
}  # fmt: skip


@lru_cache(4096)
def parse(text: str) -> Expression:
    """An expression as ``srepr`` writes it.

    Raises
    ------
    FileFormatError
        for text that is not one, or longer or deeper than any extent is.
    """
    if len(text) > LONGEST:
        raise FileFormatError(
            f"a symbolic extent of {len(text)} characters; eyeshot reads up to {LONGEST}: {text[:60]}..."
        )
    tokens: list[str] = []
    place = 0
    while not _WHITESPACE.match(text, place):
        found = _TOKEN.match(text, place)
        if found is None:
            raise FileFormatError(f"{text[:200]!r} is no symbolic extent: character {place} fits nowhere")
        tokens.append(found.group().strip())
        place = found.end()
    tokens.append("")
    expression, end = _expression(text, tokens, 0, 0)
    if end != len(tokens) - 1:
        raise FileFormatError(f"{text[:200]!r} is no symbolic extent: something stands after its end")
    return expression


def _expression(text: str, tokens: list[str], place: int, depth: int) -> tuple[Expression, int]:
    word = tokens[place]
    if depth > DEEPEST or not word or word in "(),=":
        raise FileFormatError(f"{text[:200]!r} is no symbolic extent (or one nested deeper than {DEEPEST})")
    if word[0] == "'":
        return Expression(word[1:-1]), place + 1
    if word[0].isdigit() or word[0] == "-":
        return Expression(word, value=int(word) if word.lstrip("-").isdigit() else float(word)), place + 1
    if tokens[place + 1] != "(":
        return Expression(word, value={"true": 1, "True": 1}.get(word, 0)), place + 1
    name, arguments = word.rpartition(".")[2], []
    place += 2
    while tokens[place] != ")":
        if tokens[place + 1] == "=":  # an assumption about a symbol, such as positive=True
            place += 2
            _, place = _expression(text, tokens, place, depth + 1)
        else:
            argument, place = _expression(text, tokens, place, depth + 1)
            arguments.append(argument)
        if tokens[place] == ",":
            place += 1
        elif tokens[place] != ")":
            raise FileFormatError(f"{text[:200]!r} is no symbolic extent: a bracket stays open")
    return _applied(text, name, arguments), place + 1


def _applied(text: str, name: str, arguments: list[Expression]) -> Expression:
    values = [argument.value for argument in arguments]
    if name in ("Symbol", "Dummy") and len(arguments) >= 1 and values[0] is None:
        return arguments[0]
    if name in ("Integer", "Float") and len(arguments) >= 1:
        value = values[0] if values[0] is not None else _number(text, arguments[0].name)
        return Expression(name, value=value)
    if name == "Rational" and len(values) == 2 and isinstance(values[0], int) and isinstance(values[1], int):
        return Expression(name, value=Fraction(values[0], values[1] or 1))
    if name not in _FUNCTIONS or not arguments:
        raise FileFormatError(f"{text[:200]!r}: eyeshot knows no extents made with {name!r}")
    return Expression(name, tuple(arguments))


def _number(text: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise FileFormatError(f"{text[:200]!r}: {word!r} is no number") from None


class Unbound(Exception):  # noqa: N818 - answered by looking at constants, or by a typed error
    """A symbol without a value: an extent that depends on data, or on constants that nobody has looked at yet."""


def evaluate(expression: Expression, bound: Mapping[str, int]) -> Number:
    """The value of an expression where its symbols are ``bound``.

    Raises
    ------
    Unbound
        where a symbol has no value.
    FileFormatError
        where the arithmetic has no value (a division by zero) or one beyond 2**63.
    """
    if expression.value is not None:
        return expression.value
    if not expression.arguments:
        if expression.name not in bound:
            raise Unbound(expression.name)
        return bound[expression.name]
    parts = [evaluate(part, bound) for part in expression.arguments]
    try:
        value = _FUNCTIONS[expression.name](*parts)
        if abs(value) >= LARGEST:
            raise OverflowError
    except (ArithmeticError, TypeError, ValueError) as error:
        raise FileFormatError(
            f"a symbolic extent has no value: {expression.name} of {', '.join(map(str, parts))[:100]}"
        ) from error
    return cast("Number", value)


def whole(value: Number) -> int:
    """A value that has to be a whole number, as one.

    Raises
    ------
    FileFormatError
        where it is none.
    """
    if not isfinite(value) or value != int(value):
        raise FileFormatError(f"a symbolic extent is no whole number: {value}")
    return int(value)


def solve(expression: Expression, extent: int, bound: Mapping[str, int]) -> tuple[str, int] | None:
    """The one symbol of an expression that is not bound yet, and its value; the expression is affine in it.

    None where more than one symbol is open, or no whole number gives ``extent``.
    """
    open_ = sorted(set(expression.symbols()) - bound.keys())
    if len(open_) != 1:
        return None
    at = [evaluate(expression, {**bound, open_[0]: value}) for value in (0, 1)]
    step = at[1] - at[0]
    if step == 0 or (extent - at[0]) % step:
        return None
    found = int((extent - at[0]) // step)
    return (open_[0], found) if evaluate(expression, {**bound, open_[0]: found}) == extent else None
