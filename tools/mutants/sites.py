"""The places of a module where a small change should change its behaviour.

Left out is what cannot be seen from outside (`equivalent.py`): docstrings, annotations, text for
people (messages, hints, help, log lines), what only speaks to type checkers or to linters,
`__repr__`, and changes after which the code does the same.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools.mutants import equivalent

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Site:
    """One change: `apply` makes it in the tree that the site was found in."""

    line: int  # of the statement
    change: str
    apply: Callable[[], None]


@dataclass(frozen=True)
class _Module:
    tree: ast.Module
    amounts: set[ast.AST]


def find(tree: ast.Module) -> list[Site]:
    """All changes of a module, always in the same order."""
    return list(_block(tree.body, _Module(tree, equivalent.amounts(tree))))


def _block(body: list[ast.stmt], module: _Module) -> Iterator[Site]:
    for number, statement in enumerate(body):
        if equivalent.is_quiet_statement(statement):
            continue
        yield from _removal(body, number)
        if number + 1 < len(body):
            yield from _exchange(body, number)
        for expression in _own_expressions(statement):
            yield from _expression(expression, statement, module)
        yield from _statement(statement)
        for name in ("body", "orelse", "finalbody"):
            yield from _block(getattr(statement, name, []), module)
        for handler in getattr(statement, "handlers", []):
            yield from _block(handler.body, module)
        for case in getattr(statement, "cases", []):
            yield from _block(case.body, module)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement itself: no annotation, no statement inside."""
    skipped = {"annotation", "returns", "type_params", "targets", "target", "bases"}
    for name, value in ast.iter_fields(statement):
        if name in skipped:
            continue
        values = value if isinstance(value, list) else [value]
        for one in values:
            match one:
                case ast.expr():
                    yield one
                case ast.arguments(defaults=defaults, kw_defaults=keyword_defaults):
                    yield from defaults
                    yield from (d for d in keyword_defaults if d is not None)
                case ast.withitem(context_expr=expression):
                    yield expression
                case ast.match_case(guard=ast.expr() as guard):
                    yield guard


def _removal(body: list[ast.stmt], number: int) -> Iterator[Site]:
    statement = body[number]
    match statement:
        case ast.Expr(ast.Call() | ast.Await()) | ast.AugAssign() | ast.Delete():
            pass
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            pass
        case ast.Raise() | ast.Continue() | ast.Break() | ast.Return(value=None):
            pass
        case _:
            return

    def remove() -> None:
        body[number] = ast.copy_location(ast.Pass(), statement)

    yield Site(statement.lineno, f"remove `{_short(statement)}`", remove)


def _exchange(body: list[ast.stmt], number: int) -> Iterator[Site]:
    first, second = body[number], body[number + 1]
    match first, second:
        case ast.Expr(ast.Call() as call), ast.Expr(ast.Call() as later):
            same = ast.dump(call) == ast.dump(later) or equivalent.commute(call, later)
        case _:
            return
    if same or equivalent.is_quiet_statement(second):
        return

    def exchange() -> None:
        body[number], body[number + 1] = second, first

    yield Site(first.lineno, f"`{_short(second)}` before `{_short(first)}`", exchange)


def _statement(statement: ast.stmt) -> Iterator[Site]:
    match statement:
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):

            def nothing() -> None:
                statement.value = ast.copy_location(ast.Constant(None), value)

            yield Site(statement.lineno, f"`{_short(statement)}` returns None", nothing)
        case ast.If(test=test) | ast.While(test=test) if not isinstance(
            test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant
        ):

            def negate() -> None:
                statement.test = ast.copy_location(ast.UnaryOp(ast.Not(), test), test)

            yield Site(statement.lineno, f"negate `{_short(test)}`", negate)
        case ast.For(iter=ast.Tuple(elts=elements)):
            yield from _fewer(elements, statement, "for")
        case ast.Try(handlers=handlers):
            for handler in handlers:
                if isinstance(handler.type, ast.Tuple):
                    # coverage counts a handler's line apart from the statement's
                    yield from _fewer(handler.type.elts, handler, "except")


def _fewer(elements: list[ast.expr], at: ast.AST, word: str) -> Iterator[Site]:
    if len(elements) < 2:
        return
    for number, element in enumerate(elements):
        yield Site(
            getattr(at, "lineno", 0),
            f"{word} without `{_short(element)}`",
            lambda number=number: elements.__delitem__(number),  # type: ignore[misc]
        )


def _expression(expression: ast.expr, statement: ast.stmt, module: _Module) -> Iterator[Site]:
    line = statement.lineno
    for node in _walk(expression):
        match node:
            case ast.Compare(ops=ops):
                clock = equivalent.asks_a_clock(node)
                for number, operator in enumerate(ops):
                    if clock and isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                        continue
                    changed = _COMPARISONS[type(operator)]()
                    yield _put(line, node, ops, number, changed)
                for side in node.comparators:
                    if isinstance(side, ast.Tuple | ast.Set | ast.List):
                        yield from _fewer(side.elts, statement, f"`{_short(node)}`")
            case ast.BoolOp(op=operator):
                other = ast.Or() if isinstance(operator, ast.And) else ast.And()
                yield _set(line, node, "op", other)
            case ast.BinOp(op=operator, left=left) if type(operator) in _ARITHMETIC:
                if not isinstance(left, ast.Constant) or not isinstance(left.value, str | bytes):
                    yield _set(line, node, "op", _ARITHMETIC[type(operator)]())
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                always = ast.Call(ast.Name("bool", ast.Load()), [operand], [])
                yield Site(line, f"`{_short(node)}` not negated", _becomes(node, always))
            case ast.IfExp(body=body, orelse=orelse):
                yield Site(line, f"exchange `{_short(node)}`", _swap(node, body, orelse))
            case ast.Constant(value=bool() as value):
                yield _set(line, node, "value", not value)
            case ast.Constant(value=int() as value) if node not in module.amounts:
                yield _set(line, node, "value", value + 1)
            case ast.Call():
                yield from _call(node, statement, module)


def _call(node: ast.Call, statement: ast.stmt, module: _Module) -> Iterator[Site]:
    line, arguments, name = statement.lineno, node.args, ast.unparse(node.func)
    plain = len(arguments) > 1 and not any(isinstance(a, ast.Starred) for a in arguments[:2])
    same = plain and ast.dump(arguments[0]) == ast.dump(arguments[1])
    if plain and not same and not equivalent.is_symmetric(node, module.tree):

        def swap() -> None:
            arguments[0], arguments[1] = arguments[1], arguments[0]

        yield Site(line, f"swap the arguments of `{_short(node)}`", swap)
    if name == "isinstance" and isinstance(arguments[1], ast.Tuple):
        yield from _fewer(arguments[1].elts, statement, "isinstance")
    if name.endswith("suppress"):
        yield from _fewer(arguments, statement, "suppress")
    for number, keyword in enumerate(node.keywords):
        if equivalent.is_quiet_keyword(node, keyword):
            continue
        yield Site(
            line,
            f"`{_short(node)}` without `{keyword.arg}=`",
            lambda number=number: node.keywords.__delitem__(number),  # type: ignore[misc]
        )


def _walk(expression: ast.expr) -> Iterator[ast.expr]:
    """As ast.walk, but not into text, types, and quiet keywords."""
    if isinstance(expression, ast.JoinedStr):
        return
    yield expression
    for name, value in ast.iter_fields(expression):
        for one in value if isinstance(value, list) else [value]:
            match one:
                case ast.keyword(value=inner) if not equivalent.is_text(one):
                    yield from _walk(inner)
                case ast.comprehension(iter=source, ifs=conditions):
                    for inner in (source, *conditions):
                        yield from _walk(inner)
                case ast.expr() if not (name == "args" and equivalent.takes_a_type(expression)):
                    yield from _walk(one)


def _set(line: int, node: ast.expr, name: str, value: object) -> Site:
    before, old = _short(node), getattr(node, name)
    setattr(node, name, value)
    after = _short(node)
    setattr(node, name, old)
    return Site(line, f"`{before}` → `{after}`", lambda: setattr(node, name, value))


def _put(line: int, node: ast.expr, items: list[ast.cmpop], number: int, value: ast.cmpop) -> Site:
    before, old = _short(node), items[number]
    items[number] = value
    after = _short(node)
    items[number] = old
    return Site(line, f"`{before}` → `{after}`", lambda: items.__setitem__(number, value))


def _swap(node: ast.IfExp, body: ast.expr, orelse: ast.expr) -> Callable[[], None]:
    def swap() -> None:
        node.body, node.orelse = orelse, body

    return swap


def _becomes(node: ast.UnaryOp, value: ast.expr) -> Callable[[], None]:
    def become() -> None:
        # A node is changed in place: its parent is not known.
        double = ast.UnaryOp(ast.Not(), value)
        node.operand = ast.copy_location(double, node)

    return become


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else f"{text[:69]}…"
