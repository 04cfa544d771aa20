"""Symbolic extents: the arithmetic of torch's expressions against SymPy's, and nothing but arithmetic."""

import time

import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st
from sympy.printing.repr import srepr
from torch.utils._sympy import functions as torch_functions

from eyeshot.errors import FileFormatError
from eyeshot.frontends.torch.exported.symbols import Unbound, evaluate, parse, solve, whole

S, T = (sympy.Symbol(name, positive=True, integer=True) for name in ("s0", "s1"))


def expressions():
    """What torch makes of extents: sums, products, floors, remainders and extremes."""
    numbers = st.integers(1, 12).map(sympy.Integer)
    leaves = st.sampled_from([S, T]) | numbers

    def grown(parts):
        pairs = st.tuples(parts, parts)
        return st.one_of(
            pairs.map(lambda p: p[0] + p[1]),
            pairs.map(lambda p: p[0] - p[1]),
            pairs.map(lambda p: p[0] * p[1]),
            st.tuples(parts, numbers).map(lambda p: torch_functions.FloorDiv(*p)),
            st.tuples(parts, numbers).map(lambda p: torch_functions.PythonMod(*p)),
            pairs.map(lambda p: torch_functions.Max(*p)),
            pairs.map(lambda p: torch_functions.Min(*p)),
            parts.map(lambda p: p**2),
            st.tuples(parts, numbers).map(lambda p: sympy.floor(sympy.Rational(1, 3) * p[0] + p[1] / 2)),
        )

    return st.recursive(leaves, grown, max_leaves=8)


@given(expressions(), st.integers(1, 50), st.integers(1, 50))
def test_values_agree_with_sympy(expression, s, t):
    sizes = {S: s, T: t}
    assume(all(abs(part.subs(sizes)) < 2**63 for part in sympy.preorder_traversal(expression)))
    expected = expression.subs(sizes)
    assert whole(evaluate(parse(srepr(expression)), {"s0": s, "s1": t})) == int(expected)


@given(st.integers(1, 9), st.integers(-9, 9), st.integers(1, 400))
def test_what_is_affine_is_solved(factor, constant, value):
    expression = parse(srepr(factor * S + constant))
    assert solve(expression, factor * value + constant, {}) == ("s0", value)
    if factor > 1:
        assert solve(expression, factor * value + constant + 1, {}) is None


def test_what_is_open_stays_open():
    assert solve(parse(srepr(S + T)), 8, {}) is None
    assert solve(parse(srepr(S + T)), 8, {"s1": 3}) == ("s0", 5)
    assert solve(parse(srepr(S**2)), 9, {}) is None
    with pytest.raises(Unbound):
        evaluate(parse(srepr(S)), {})


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "Symbol('s0', positive=True",
        "Symbol('s0'))",
        "Add(Symbol('s0'), lambda: 0)",
        "Lambda(Symbol('x'), Symbol('x'))",
        "().__class__",
        "Add(*args)",
        "Integer(9)**Integer(9)",
        "Integer('a')",
        "",
        "Add()",
        "Function('f')(Symbol('s0'))",
        "Symbol('s0', positive=True) if True else 0",
        "s0 + 1",
        "Integer(" * 500 + "1" + ")" * 500,
        "Symbol('" + "s" * 5000 + "')",
        "Add(" + "Integer(1), " * 5000 + "Integer(1))",
    ],
)
def test_what_is_no_expression_is_refused(text):
    began = time.monotonic()
    with pytest.raises(FileFormatError, match=r"symbolic extent|knows no extents|no number"):
        parse(text)
    assert time.monotonic() - began < 0.2


@pytest.mark.parametrize(
    "text",
    [
        "Pow(Integer(9), Integer(999999999))",
        "Pow(Pow(Integer(9999), Integer(64)), Integer(64))",
        "FloorDiv(Integer(1), Integer(0))",
        "Mod(Integer(1), Integer(0))",
        "Pow(Integer(0), Integer(-1))",
        "Mul(Integer(99999999999), Integer(99999999999))",
        "FloatPow(Integer(9999), Integer(9999))",
        "Max(Symbol('s0'))",
        "FloorDiv(Integer(1))",
        "Pow(Integer(-2), Rational(1, 2))",
    ],
)
def test_what_has_no_value_is_refused(text):
    with pytest.raises(FileFormatError):
        whole(evaluate(parse(text), {"s0": 3}))
