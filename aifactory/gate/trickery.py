"""Code that makes tests green without being right: what gives it away, in words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aifactory.gate.scripts import script
from aifactory.gate.substitution import plain

_TOOLS = frozenset({"pytest", "_pytest", "unittest", "builtins", "pluggy"})
_OUTCOMES = frozenset({"SkipTest", "importorskip", "Skipped", "XFailed"})
_OF_PYTEST = frozenset({"skip", "exit", "xfail", "fail"})
_SYSTEM = frozenset({"os", "sys", "builtins", "signal", "ctypes", "posix"})
_BEYOND = frozenset({"f_locals", "co_consts", "co_names"})
_READERS = frozenset(
    [
        *("open", "Path", "read_text", "read_bytes", "joinpath", "glob", "rglob", "getsource"),
        *("import_module", "run_path", "run_module", "__import__"),
    ]
)
_TESTS = re.compile(r"(?:^|/)tests?/|(?:^|/)test_\w+\.py$|^tests\.\w+")
_CALLER = re.compile(r"\b(?:stack|_getframe|currentframe)\(")
_INSIDE = re.compile(r"vars\((\w+)\)|(\w+)\.__dict__")


def trickery(path: str, before: bytes, after: bytes) -> list[str]:
    """What a file's new version does to its tests and its old one did not."""
    if not path.endswith(".py"):
        return sorted(set(script(path, after)) - set(script(path, before)))
    return sorted(set(_python(after)) - set(_python(before)))


def _python(source: bytes) -> Iterator[str]:
    try:
        module = plain(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(module):
        for kind, look in _LOOKS:
            if isinstance(node, kind):
                text = " ".join(ast.unparse(node).split())[:80]
                yield from (f"{told}: {text}" for told in look(node))


def _equals(node: ast.AST) -> Iterator[str]:
    """A value that every assertion of equality takes for its own."""
    match node:
        case ast.FunctionDef(name="__eq__", args=ast.arguments(args=[_, other])):
            names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            gives = any(isinstance(part, ast.Return) for part in ast.walk(node))
            found = gives and other.arg not in names and "NotImplemented" not in names
        case ast.Assign([ast.Name("__eq__")], ast.Lambda(body=ast.Constant(True))):
            found = True
        case ast.Dict(keys=keys, values=values):
            named = (ast.unparse(key) == "'__eq__'" for key in keys if key)
            found = any(named) and any(
                isinstance(one, ast.Lambda) and ast.unparse(one.body) == "True" for one in values
            )
        case ast.ImportFrom(module="unittest.mock" | "mock", names=names):
            found = any(one.name in ("ANY", "*") for one in names)
        case ast.Attribute(attr="ANY", value=value):
            found = "mock" in ast.unparse(value)
        case _:
            found = False
    if found:
        yield "is equal to everything"


def _outcomes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Attribute(value=ast.Name("pytest"), attr=attr) if attr in _OF_PYTEST:
            yield "decides what a test comes to"
        case ast.Attribute() | ast.Name() if _word(node) in _OUTCOMES:
            yield "decides what a test comes to"


def _tools(node: ast.AST) -> Iterator[str]:
    """What tests stand on, given another meaning."""
    match node:
        case ast.Assign(targets=targets) if any(map(_is_tool, targets)):
            yield "changes the tools of tests"
        case ast.Call(func=ast.Name("setattr" | "delattr"), args=[first, *_]):
            if _is_tool(first) or ast.unparse(first) in _TOOLS:
                yield "changes the tools of tests"


def _is_tool(node: ast.expr) -> bool:
    text = ast.unparse(node)
    of_tool = re.split(r"[.\[(]", text)[0] in _TOOLS and not isinstance(node, ast.Name)
    return of_tool or text in ("sys.exit", "os._exit")


def _hidden(node: ast.AST) -> Iterator[str]:
    """`os._exit` and the like by a name that nobody can read."""
    match node:
        case ast.Call(func=ast.Name("getattr"), args=[first, second, *_]):
            hidden = _word(first) in _SYSTEM and _is_put_together(second)
        case ast.Subscript(value=value, slice=index):
            found = _INSIDE.fullmatch(ast.unparse(value))
            hidden = bool(found and (found[1] or found[2]) in _SYSTEM and _is_put_together(index))
        case _:
            hidden = False
    if hidden:
        yield "reaches the system by a name that is put together"


def _is_put_together(node: ast.expr) -> bool:
    return not isinstance(node, ast.Constant) or node.value in ("_exit", "exit", "AssertionError")


def _callers(node: ast.AST) -> Iterator[str]:
    text = ast.unparse(node)
    if isinstance(node, ast.Compare) and _CALLER.search(text):
        yield "asks who called it"
    if isinstance(node, ast.Attribute) and node.attr in _BEYOND:
        yield "reads what its caller knows"


def _reads(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and _word(node.func) in _READERS:
        texts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
        if any(isinstance(text, str) and _TESTS.search(text) for text in texts):
            yield "reads the tests"


def _word(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


_LOOKS = (
    ((ast.FunctionDef, ast.Assign, ast.Dict, ast.ImportFrom, ast.Attribute), _equals),
    ((ast.Attribute, ast.Name), _outcomes),
    ((ast.Assign, ast.Call), _tools),
    ((ast.Call, ast.Subscript), _hidden),
    ((ast.Compare, ast.Attribute), _callers),
    (ast.Call, _reads),
)
