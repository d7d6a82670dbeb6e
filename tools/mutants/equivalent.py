"""Changes that no caller can see: the places that `sites.py` leaves alone, by kind.

A rule stands here only if it holds for every program. Whether a wait has a limit at all, whether a
read is bounded and in which order two things of one object happen can be seen, and is drawn.
"""

from __future__ import annotations

import ast

# Keywords that hold text, that say what is so anyway, or that only tools look at.
_QUIET_KEYWORDS = {
    *("hint", "help", "metavar", "epilog", "description", "doc", "title", "rich_markup_mode"),
    *("encoding", "strict", "usedforsecurity", "stacklevel"),
    *("frozen", "slots", "repr", "kw_only", "eq"),
    *("indent", "buffering", "maxsize", "max_workers", "thread_name_prefix"),
    *("stage", "longest_pause"),  # where progress is shown, and how often a wait looks
}
# Values that are what the callee does without them.
_DEFAULTS = {"check", "default", "shell", "text"}
_LOGGING = {"log", "_log", "logger", "logging", "warnings"}
_QUIET_FUNCTIONS = {"__repr__", "__str__", "__rich__"}
_TYPED_CALLS = {"cast", "TypeVar", "NewType", "getLogger", "assert_never"}

# How long to wait or how much to take at once, in calls and keywords: one more is as good.
_AMOUNTS = {
    *("settimeout", "wait", "join", "sleep", "poll", "select"),
    *("read", "readline", "recv", "recvfrom", "recv_into", "listen", "copyfileobj"),
}
_CLOCKS = {"time", "monotonic", "perf_counter"}
# What only the speed of a connection or a pipe depends on.
_SPEED = {"TCP_NODELAY", "F_SETPIPE_SZ"}
_TEMPORARY = {"NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "mkdtemp", "mkstemp"}
_LIMIT_KEYWORDS = {"timeout", "deadline"}
_SYMMETRIC = {
    "min",
    "max",
    "minimum",
    "maximum",
    "gcd",
    "isclose",
    "compare_digest",
    "samefile",
    "samestat",
}
_COLLECT = {"append", "extend", "add", "discard", "update"}
_END = {"clear", "close", "reset"}


def is_quiet_statement(statement: ast.stmt) -> bool:
    """Docstrings, imports, what type checkers read, lines of logs and of progress, and speed."""
    match statement:
        case ast.Expr(ast.Constant()) | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name in _QUIET_FUNCTIONS
        case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Compare(left=ast.Name("__name__"))):
            return True
        case ast.ClassDef(bases=bases):
            return any("Protocol" in ast.unparse(base) for base in bases)
        case ast.Assign(targets=[ast.Name("__all__" | "__slots__") | ast.Attribute(attr="daemon")]):
            return True
        case ast.Expr(ast.Call(func, args=arguments)):
            words = ast.unparse(func).split(".")
            progress = words[0] == "stage" and words[-1] in {"progress", "status"}
            speed = any(_last(one) in _SPEED for one in arguments)
            return words[0] in _LOGGING or progress or speed
    return False


def is_quiet_keyword(call: ast.Call, keyword: ast.keyword) -> bool:
    """Whether the call does the same without it. `**more` is none that could be left out."""
    default = isinstance(keyword.value, ast.Constant) and keyword.value.value in (False, None)
    name = _last(call.func)
    own = (
        (name.endswith("Thread") and keyword.arg in {"name", "daemon"})
        or (name == "field" and keyword.arg == "init")
        or (name in _TEMPORARY and keyword.arg in {"prefix", "suffix"})
        or name in _TYPED_CALLS
    )
    return (
        keyword.arg is None
        or keyword.arg in _QUIET_KEYWORDS
        or own
        or (default and keyword.arg in _DEFAULTS)
    )


def is_text(keyword: ast.keyword) -> bool:
    """Whether no value in the keyword's expression matters."""
    return keyword.arg in _QUIET_KEYWORDS


def takes_a_type(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _last(node.func) in _TYPED_CALLS


def amounts(module: ast.Module) -> set[ast.AST]:
    """The numbers that say only how long to wait, how much to read at once, how a hash is cut.

    So does the number that a module gives a private name, which is used for nothing else.
    """
    found: set[ast.AST] = set()
    for node in ast.walk(module):
        match node:
            case ast.keyword(arg=name, value=value) if name in _LIMIT_KEYWORDS | _QUIET_KEYWORDS:
                found.update(_terms(value))
            case ast.Call(func=ast.Attribute(attr=name), args=arguments) if name in _AMOUNTS:
                found.update(term for argument in arguments for term in _terms(argument))
            case ast.Subscript(ast.Call(ast.Attribute(attr="hexdigest")), ast.Slice(None, end)):
                found.update(_terms(end))
    uses = [node for node in ast.walk(module) if isinstance(node, ast.Name | ast.Attribute)]
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(name)], value=value) if name.startswith("_"):
                used = [use for use in uses if _last(use) == name and isinstance(use.ctx, ast.Load)]
                if used and found.issuperset(used):
                    found.update(_terms(value))
    return found


def _terms(node: ast.AST | None) -> list[ast.AST]:
    """The numbers and names of a sum or product, and of the least of several."""
    match node:
        case ast.Constant() | ast.Name():
            return [node]
        case ast.BinOp(left, _, right):
            return [*_terms(left), *_terms(right)]
        case ast.Call(ast.Name("min"), arguments):
            return [term for argument in arguments for term in _terms(argument)]
    return []


def asks_a_clock(node: ast.Compare) -> bool:
    """Whether one moment more or less makes the difference, which none can be certain of."""
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in _CLOCKS
        and ast.unparse(call.func.value) == "time"
        for call in calls
    )


def is_symmetric(call: ast.Call, module: ast.Module) -> bool:
    """Whether a call does the same with its first two arguments exchanged."""
    name = _last(call.func)
    if name in _SYMMETRIC:
        return len(call.args) == 2
    if name == "socket" and {_last(one) for one in call.args} == {"AF_INET", "SOCK_DGRAM"}:
        return True  # on Linux both are 2
    return any(
        isinstance(own, ast.FunctionDef) and own.name == name and _treats_alike(own)
        for own in module.body
    )


def commute(first: ast.Call, second: ast.Call) -> bool:
    """Whether two calls that follow each other can do so in either order.

    So can additions to different containers, the end of two objects, and the options of a command
    line. So can descriptors that are closed.
    """
    if ast.unparse(first.func) == ast.unparse(second.func) == "os.close":
        return True
    match first.func, second.func:
        case ast.Attribute(value=one, attr=name), ast.Attribute(value=other, attr=next_name):
            names = {name, next_name}
            apart = ast.unparse(one) != ast.unparse(other)
            return names == {"add_argument"} or (apart and (names <= _COLLECT or names <= _END))
    return False


def _treats_alike(function: ast.FunctionDef) -> bool:
    names = [argument.arg for argument in function.args.args[:2]]
    if len(names) < 2:
        return False
    exchanged = dict(zip(names, reversed(names), strict=True))
    return _normal(function, {}) == _normal(function, exchanged)


def _normal(function: ast.FunctionDef, names: dict[str, str]) -> list[str]:
    """The function's body with names replaced, and operands whose order says nothing sorted."""

    class Normal(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            return ast.Name(names.get(node.id, node.id), node.ctx)

        def visit_Compare(self, node: ast.Compare) -> ast.AST:
            self.generic_visit(node)
            if [type(op) for op in node.ops] in ([ast.Eq], [ast.NotEq]):
                node.left, node.comparators[0] = sorted(
                    (node.left, node.comparators[0]), key=ast.dump
                )
            return node

        def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
            self.generic_visit(node)
            node.values.sort(key=ast.dump)
            return node

    body = ast.parse(ast.unparse(function)).body[0]
    assert isinstance(body, ast.FunctionDef)
    return [ast.dump(Normal().visit(statement)) for statement in body.body]


def _last(function: ast.expr) -> str:
    return ast.unparse(function).split(".")[-1]
