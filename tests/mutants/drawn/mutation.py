"""The places of a source file at which a mutant can be made, and the mutants of each place.

Not mutated: texts, annotations, type aliases, decorators, `assert`, `raise` with its message,
`if TYPE_CHECKING`, `__all__`, `__slots__`, the `strict` of a `zip`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

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
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
BOOLEANS: dict[type[ast.boolop], type[ast.boolop]] = {ast.And: ast.Or, ast.Or: ast.And}
ALIAS_NAMES = {"Callable", "Literal", "Mapping", "Sequence", "dict", "list", "tuple", "type"}


@dataclass(frozen=True, slots=True)
class Mutation:
    """A replacement of one expression or statement of a file; columns count bytes."""

    file: str
    begin: int
    """Offset of the replaced text in the file, bytes."""
    line: int
    statement: tuple[int, int]
    """First and last line of the statement (of its head, where it has a body)."""
    source_line: str
    nth: int
    """Which one it is, from 1, where the line holds the replaced text more than once."""
    occurrence: int
    """Which one its line is, from 1, where the file holds the line more than once."""
    kind: str
    original: str
    replacement: str

    def applied(self, source: str) -> str:
        """Return the source with the mutation in it."""
        data, end = source.encode(), self.begin + len(self.original.encode())
        assert data[self.begin : end] == self.original.encode(), f"{self.file} has changed"
        return (data[: self.begin] + self.replacement.encode() + data[end:]).decode()


Place = tuple[Mutation, ...]
"""The mutants of one place, of which a draw takes one."""


def places(file: str, source: str) -> list[Place]:
    """Return the places of a file from its top, each with its mutants."""
    data = source.encode()
    lines = data.splitlines(keepends=True)
    stripped = [line.strip() for line in lines]
    starts = [0, *accumulate(len(line) for line in lines)]
    found: list[Place] = []
    for node, statement in _mutable(ast.parse(source), (0, 0)):
        place = []
        for kind, replaced, replacement in _mutants(node):
            assert replaced.end_lineno is not None
            assert replaced.end_col_offset is not None
            begin = starts[replaced.lineno - 1] + replaced.col_offset
            end = starts[replaced.end_lineno - 1] + replaced.end_col_offset
            original, text = data[begin:end].decode(), ast.unparse(replacement)
            if _needs_brackets(replacement):
                text = f"({text})"
            whole = lines[replaced.lineno - 1]
            nth = whole[: replaced.col_offset].decode().count(original) + 1
            above = stripped[: replaced.lineno - 1]
            place.append(
                Mutation(
                    file,
                    begin,
                    replaced.lineno,
                    statement,
                    whole.decode().strip(),
                    nth,
                    above.count(whole.strip()) + 1,
                    kind,
                    original,
                    text,
                )
            )
        if place:
            found.append(tuple(place))
    return sorted(found, key=lambda place: (place[0].begin, place[0].kind, place[0].original))


def _needs_brackets(replacement: ast.AST) -> bool:
    simple = (ast.Constant, ast.Name, ast.Attribute, ast.Call, ast.Subscript)
    return isinstance(replacement, ast.expr) and not isinstance(replacement, simple)


Lines = tuple[int, int]


def _mutable(node: ast.AST, statement: Lines) -> Iterator[tuple[ast.AST, Lines]]:
    """Yield the nodes under one that may be mutated, itself first, with their statement's lines."""
    if isinstance(node, ast.stmt | ast.Lambda | ast.match_case):
        statement = _head(node)
    yield node, statement
    for child in _mutable_children(node):
        yield from _mutable(child, statement)


def _head(node: ast.stmt | ast.Lambda | ast.match_case) -> Lines:
    """Return the first and last line of a statement without its body."""
    first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
    if not isinstance(node, ast.Lambda) and (body := getattr(node, "body", None)):
        return first, max(first, body[0].lineno - 1)
    if isinstance(node, ast.Match):
        return first, node.cases[0].pattern.lineno - 1
    assert not isinstance(node, ast.match_case)
    return first, node.end_lineno or first


def _mutable_children(node: ast.AST) -> list[ast.AST]:
    match node:
        case ast.JoinedStr() | ast.Assert() | ast.Raise() | ast.pattern():
            return []
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return []
        case ast.Assign() | ast.AnnAssign():
            return [node.value] if node.value is not None and not _is_type(node) else []
        case ast.AugAssign():
            return [node.value]
        case ast.FunctionDef() | ast.Lambda():
            defaults = [value for value in node.args.kw_defaults if value is not None]
            body = node.body if isinstance(node.body, list) else [node.body]
            return [*node.args.defaults, *defaults, *body]
        case ast.ClassDef():
            return list(node.body)
        case ast.Call():
            ours = node.args[:1] if _calls(node, "isinstance") else node.args
            values = [word.value for word in node.keywords if word.arg != "strict"]
            return [node.func, *ours, *values]
        case _:
            return list(ast.iter_child_nodes(node))


def _calls(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _is_type(node: ast.Assign | ast.AnnAssign) -> bool:
    """Return whether an assignment names a type, or names of the module or its slots."""
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return True
        case ast.Assign(value=ast.Subscript(value=ast.Name(id=name))):
            return name in ALIAS_NAMES
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case ast.Assign(value=ast.Call()):
            return _calls(node.value, "TypeVar", "NewType", "ParamSpec")
        case ast.Assign(value=ast.BinOp()):
            return _is_union(node.value)
        case _:
            return False


def _is_union(node: ast.AST) -> bool:
    """Return whether an expression is a union of classes by their names."""
    match node:
        case ast.BinOp(op=ast.BitOr()):
            return _is_union(node.left) and _is_union(node.right)
        case ast.Name(id=name):
            return name[0].isupper() and not name.isupper()
        case ast.Constant(value=None):
            return True
        case _:
            return False


Mutant = tuple[str, ast.expr | ast.stmt, ast.AST]
"""(kind, node that is replaced, replacement)."""


def _mutants(node: ast.AST) -> Iterator[Mutant]:
    match node:
        case ast.Compare():
            yield from _of_comparison(node)
        case ast.BinOp() if type(node.op) in ARITHMETIC and not _is_text(node):
            changed = ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
            yield "arithmetic", node, changed
        case ast.AugAssign() if type(node.op) in ARITHMETIC and not _is_text(node.value):
            yield (
                "arithmetic",
                node,
                ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value),
            )
        case ast.BoolOp():
            yield "and/or", node, ast.BoolOp(BOOLEANS[type(node.op)](), node.values)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield "operator dropped", node, node.operand
        case ast.Constant(value=bool(value)):
            yield "constant", node, ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield "constant", node, ast.Constant(value + 1)
            yield "constant", node, ast.Constant(value - 1)
        case ast.If() | ast.IfExp():
            yield from _of_condition(node.test)
        case ast.While():
            yield "condition", node.test, ast.Constant(False)
        case ast.comprehension(ifs=[first, *_]):
            yield from _of_condition(first)
        case ast.match_case(guard=ast.expr() as guard):
            yield from _of_condition(guard)
        case ast.Expr(value=ast.Call()):
            yield "call dropped", node, ast.Pass()
        case ast.Return(value=ast.expr() as value):
            if not (isinstance(value, ast.Constant) and value.value is None):
                yield "value dropped", node, ast.Return(ast.Constant(None))
        case _:
            pass


def _of_comparison(node: ast.Compare) -> Iterator[Mutant]:
    for at, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            operators = [*node.ops[:at], other(), *node.ops[at + 1 :]]
            yield "comparison", node, ast.Compare(node.left, operators, node.comparators)


def _of_condition(test: ast.expr) -> Iterator[Mutant]:
    yield "condition", test, ast.Constant(True)
    yield "condition", test, ast.Constant(False)
    yield "condition", test, ast.UnaryOp(ast.Not(), test)


def _is_text(node: ast.AST) -> bool:
    """Return whether an expression builds text or bytes from a literal."""
    match node:
        case ast.BinOp():
            return _is_text(node.left) or _is_text(node.right)
        case ast.Constant():
            return isinstance(node.value, str | bytes)
        case _:
            return isinstance(node, ast.JoinedStr)
