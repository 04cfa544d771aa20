"""Small changes to a program: every place of a syntax tree where one can be made, each a `Mutant`.

Left alone: docstrings, annotations, decorators, `TYPE_CHECKING` blocks, patterns, the texts of errors, `__repr__`, and what
only checks our own state (`assert`, `strict=`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
NAMES = {
    "min": "max",
    "any": "all",
    "gcd": "lcm",
    "minimum": "maximum",
    "argmin": "argmax",
    "zeros": "ones",
    "logical_or": "logical_and",
    "ones_like": "zeros_like",
    "bitwise_or": "bitwise_and",
}
NAMES |= {new: old for old, new in NAMES.items()}
LEFT_ALONE = {"annotation", "returns", "decorator_list", "pattern", "bases"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the ``number``-th of its ``file``, inside ``scope``, from the text ``old`` to ``new``."""

    file: str
    number: int
    line: int
    scope: str
    old: str
    new: str

    @property
    def name(self) -> str:
        """The change without its line, so that explanations outlive edits elsewhere."""
        return f"{self.file} {self.scope}: {self.old} => {self.new}"


@dataclass(frozen=True, slots=True)
class _Site:
    """A node that may be put in the place ``field`` (of a list: at ``index``) of its parent."""

    parent: ast.AST
    field: str
    index: int | None
    replacement: ast.AST
    statement: ast.stmt
    scope: str

    def swap(self, node: ast.AST) -> ast.AST:
        """Put a node there; returns what was."""
        held = getattr(self.parent, self.field)
        if self.index is None:
            setattr(self.parent, self.field, node)
            return held
        old, held[self.index] = held[self.index], node
        return old


def mutants(source: str, file: str) -> list[Mutant]:
    """All changes to a source, in its order."""
    found: list[Mutant] = []
    for number, site in enumerate(_sites(ast.parse(source))):
        old = _header(site.statement)
        was = site.swap(site.replacement)
        new = _header(site.replacement if was is site.statement else site.statement)
        site.swap(was)
        line = getattr(was, "lineno", site.statement.lineno)
        found.append(Mutant(file, number, line, site.scope, *_window(old, new)))
    return found


def mutated(source: str, number: int) -> ast.Module:
    """The program with the ``number``-th of its changes made."""
    tree = ast.parse(source)
    for count, site in enumerate(_sites(tree)):
        if count == number:
            site.swap(site.replacement)
            return ast.fix_missing_locations(tree)
    raise IndexError(f"there is no change {number}")


def _header(statement: ast.AST) -> str:
    """A statement without the statements inside it, on one line."""
    bare = copy(statement)
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        if isinstance(getattr(bare, part, None), list):
            setattr(bare, part, [])
    return " ".join(ast.unparse(bare).split())


def _window(old: str, new: str, around: int = 30) -> tuple[str, str]:
    """Two texts where they differ, with a little of what surrounds that."""
    if new == "pass":
        return old, new
    first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    after = 0
    while after < min(len(old), len(new)) - first and old[-1 - after] == new[-1 - after]:
        after += 1
    start = max(0, first - around)

    def cut(text: str) -> str:
        stop = min(len(text), len(text) - after + around)
        return "…" * (start > 0) + text[start:stop] + "…" * (stop < len(text))

    return cut(old), cut(new)


def _sites(tree: ast.Module) -> Iterator[_Site]:
    for index, statement in enumerate(tree.body):
        yield from _inside(tree, "body", index, statement, statement, "module")


def _inside(
    parent: ast.AST, field: str, index: int | None, node: ast.AST, statement: ast.stmt, scope: str
) -> Iterator[_Site]:
    """The changes to a node and to all below it."""
    if _left_alone(node, scope):
        return
    if isinstance(node, ast.stmt):
        statement = node
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        scope = node.name if scope == "module" else f"{scope}.{node.name}"
    for replacement in _variants(node):
        yield _Site(parent, field, index, ast.copy_location(replacement, node), statement, scope)
    if isinstance(node, ast.Raise):
        return
    for name, value in ast.iter_fields(node):
        if name in LEFT_ALONE:
            continue
        for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield from _inside(node, name, place, child, statement, scope)


def _left_alone(node: ast.AST, scope: str) -> bool:
    match node:
        case ast.Expr(ast.Constant()) | ast.Assert() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(ast.Name("TYPE_CHECKING")) | ast.FunctionDef("__repr__") | ast.keyword("strict"):
            return True
        case ast.Expr(ast.Call(ast.Name("assert_never"))) | ast.Call(ast.Name("field")):
            return True
        case ast.Assign(value=ast.BinOp(op=ast.BitOr())) | ast.Assign([ast.Name("__all__")]):
            return scope == "module"  # a union of types
        case _:
            return False


def _variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in a node's place."""
    match node:
        case ast.stmt():
            yield from _statements(node)
        case ast.Call():
            yield from _calls(node)
        case ast.BoolOp() | ast.UnaryOp() | ast.IfExp() | ast.comprehension():
            yield from _conditions(node)
        case ast.Compare(left, ops, rights):
            for place, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield ast.Compare(left, [*ops[:place], other(), *ops[place + 1 :]], rights)
        case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
            yield ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Slice(lower, upper, step):
            yield from [ast.Slice(None, upper, step)] * (lower is not None)
            yield from [ast.Slice(lower, None, step)] * (upper is not None)


def _conditions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not() | ast.USub() | ast.Invert(), operand):
            yield operand
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.comprehension(target, iterator, tests, is_async):
            for place, test in enumerate(tests):
                turned = [*tests[:place], ast.UnaryOp(ast.Not(), test), *tests[place + 1 :]]
                yield ast.comprehension(target, iterator, turned, is_async)


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    """Another function of the same form, and the call without one of its named arguments."""
    match node.func:
        case ast.Name(name) if name in NAMES:
            yield ast.Call(ast.Name(NAMES[name], ast.Load()), node.args, node.keywords)
        case ast.Attribute(value, name) if name in NAMES:
            yield ast.Call(ast.Attribute(value, NAMES[name], ast.Load()), node.args, node.keywords)
    for place, keyword in enumerate(node.keywords):
        if keyword.arg not in {None, "strict"}:
            yield ast.Call(node.func, node.args, [*node.keywords[:place], *node.keywords[place + 1 :]])


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.If(test, body, orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Return(value) if value is not None and not _is_none(value):
            yield ast.Return(ast.Constant(None))
        case ast.AugAssign(target, op, value):
            yield ast.Pass()
            if type(op) in ARITHMETIC:
                yield ast.AugAssign(target, ARITHMETIC[type(op)](), value)
        case ast.Assign([ast.Subscript() | ast.Attribute()]) | ast.Expr(ast.Call()) | ast.Raise():
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
