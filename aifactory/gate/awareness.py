"""Code that behaves otherwise when it is tested: what gives it away, in words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aifactory.gate.substitution import plain

_RUNNER = re.compile(r"\b_?pytest|py\.test|\bunittest\b|\bnose\b|\bhypothesis\b|\btest_")
_VARIABLES = frozenset({"PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_XDIST_WORKER",
                        "TOX_ENV_DIR", "_called_from_test",
                        "PYT", "PYTE", "PYTES", "PYTEST", "PYTEST_"})  # fmt: skip
_ARGUMENTS = re.compile(r"'tests?' (?:not )?in (?:\w+ for \w+ in )?.*\bargv\b")
_PLACES = ("argv", "modules", "stack", "_getframe", "currentframe", "co_filename", "f_code")
_OTHERS = re.compile(
    r"JEST_WORKER_ID|NODE_TEST_CONTEXT|\bVITEST(?:_\w+)?\b|typeof\s+(?:describe|it|jest|expect)\b|\btesting\.Testing\(\)"
    r"|flag\.Lookup\(\s*\"test\.|HasSuffix\(\s*os\.Args\[0\]\s*,\s*\"\.test\"|RSPEC_\w+"
)


def awareness(path: str, before: bytes, after: bytes) -> list[str]:
    """What a file's new version asks about being tested and its old one did not."""
    if not path.endswith(".py"):
        return sorted(set(_words(after)) - set(_words(before)))
    return sorted(set(_asked(after)) - set(_asked(before)))


def _words(source: bytes) -> Iterator[str]:
    for found in _OTHERS.finditer(source.decode(errors="replace")):
        yield f"asks whether it is tested: {found[0]}"


def _asked(source: bytes) -> Iterator[str]:
    try:
        module = plain(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and node.value in _VARIABLES:
            yield f"asks whether it is tested: {node.value}"
        elif isinstance(node, ast.Compare | ast.Subscript | ast.Call):
            text = ast.unparse(node)
            place = any(place in text for place in _PLACES) and _mentions(node)
            if place or (not isinstance(node, ast.Subscript) and _ARGUMENTS.search(text)):
                yield f"asks whether it is tested: {text}"
    yield from _exits(module)


def _exits(module: ast.Module) -> Iterator[str]:
    """What ends a process as if all were well: when it is imported, or when it would end anyway."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    at_once = [node for node in module.body if not isinstance(node, functions)]
    late = [node for node in ast.walk(module) if _word(node) in ("atexit", "signal")]
    for node in [module] if late else at_once:
        for part in ast.walk(node):
            if isinstance(part, ast.Call) and _word(part.func) == "_exit" and _may_be_well(part):
                yield f"ends the process before its tests do: {ast.unparse(part)}"


def _may_be_well(call: ast.Call) -> bool:
    """Whether an exit code could be 0; any other tells a runner that something is wrong."""
    return not (call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value)


def _word(node: ast.AST) -> str:
    """The last name of a dotted one, `_exit` of `os._exit`; also that of an import."""
    if isinstance(node, ast.alias):
        return node.name
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _mentions(node: ast.AST) -> bool:
    """Whether a text in an expression names a test runner or a test."""
    texts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return any(isinstance(text, str) and _RUNNER.search(text) for text in texts)
