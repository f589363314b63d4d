"""What runs or steers the tests without being one, file by file, in words."""

from __future__ import annotations

import ast
import configparser
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from aifactory.gate.testfiles import is_test

_ALWAYS_RUN = ("sitecustomize.py", "usercustomize.py")
_RUNNERS = ("jest", "vitest", "ava", "playwright", "cypress")
_ENDS = ("js", "cjs", "mjs", "ts", "cts", "mts", "json")
_SETTINGS = frozenset(
    [
        *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "noxfile.py", ".coveragerc"),
        *("phpunit.xml", "phpunit.xml.dist", "karma.conf.js", ".rspec"),
        *(f".mocharc.{end}" for end in ("json", "jsonc", "js", "cjs", "yml", "yaml")),
        *(f"{tool}.config.{end}" for tool in _RUNNERS for end in _ENDS),
    ]
)
_TOOLS = frozenset(
    ["pytest", "_pytest", "pluggy", "iniconfig", "coverage", "hypothesis", "nose", "xdist", "mock"]
)
_SHADOWS = (_TOOLS | sys.stdlib_module_names) - {"test"}
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_PLAIN = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.AnnAssign)
_STEERING = ("collect_ignore", "pytest_")
_HARMLESS = ("sys.path.", "os.environ", "warnings.")
_WHOLE = ("load_tests",)
_SETS = r"\b(?:setattr|delattr)\(|\bdel globals\(|globals\(\)\.(?:pop|clear)\(|\.start\(\)"
_INI = ("pytest", "tool:pytest", "testenv", "tox", "coverage:run", "options.entry_points")


def steering(path: str, before: bytes, after: bytes) -> Iterator[str]:
    """What of a file's new version changes how tests are run.

    `before` is empty for a new one, `after` for one that is gone.
    """
    name = PurePosixPath(path).name
    if name in _ALWAYS_RUN or name.endswith(".pth"):
        yield "runs at the start of every Python program"
    if name in _SETTINGS:
        yield "is a setting of the test runner"
    if not before and (module := _shadow(path)):
        yield f"stands in the way of the module {module}"
    if name.endswith((".pyc", ".pyo")):
        yield "is compiled code, which is run in the place of its source"
    if is_test(path) and name.endswith(".py") and name != "conftest.py":
        yield from sorted(set(_takes_over(after)) - set(_takes_over(before)))
    if name == "conftest.py":
        known = _hooks(before)
        new = (name for name, text in _hooks(after).items() if known.get(name) != text)
        yield from (f"hooks into the test runner: {name}" for name in new)
        now = _definitions(after)
        given = (name for name, text in _definitions(before).items() if now.get(name) != text)
        yield from (f"changes what tests are given: {name}" for name in given)
    if reader := _SECTIONS.get(name):
        old, now = reader(before), reader(after)
        changed = sorted(key for key in old.keys() | now.keys() if old.get(key) != now.get(key))
        yield from (f"changes [{key}], a setting of the test runner" for key in changed)


def is_settings(path: str) -> bool:
    """Whether a file holds settings of test runners, and perhaps much else."""
    name = PurePosixPath(path).name
    return name in _SETTINGS or name in _SECTIONS


def _shadow(path: str) -> str:
    """The module of the test tools or of Python that a file would be imported for."""
    top, _, rest = path.partition("/")
    module = top.removesuffix(".py") if not rest else top if rest == "__init__.py" else ""
    return module if module in _SHADOWS and (rest or top.endswith(".py")) else ""


def _hooks(source: bytes) -> dict[str, str]:
    """What a conftest.py does besides fixtures, by name: hooks, and what its import runs."""
    return {name: ast.dump(node) for node in _body(source) for name in _steers(node)}


def _body(source: bytes) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _definitions(source: bytes) -> dict[str, str]:
    """The functions and classes of a conftest.py by name: fixtures, and what these are made of."""
    kinds = (*_FUNCTION, ast.ClassDef)
    return {node.name: ast.dump(node) for node in _body(source) if isinstance(node, kinds)}


def fixtures(source: bytes) -> set[str]:
    """The names under which a conftest.py gives something to tests."""
    functions = [node for node in _body(source) if isinstance(node, _FUNCTION)]
    return {name for node in functions for name in _fixture(node)}


def _fixture(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        text = ast.unparse(decorator)
        if "fixture" in text.partition("(")[0]:
            named = re.search(r"\bname=(['\"])(.*?)\1", text)
            yield named[2] if named else node.name


def _steers(node: ast.stmt) -> Iterator[str]:
    """The names under which a statement of a conftest.py has a say in what is run."""
    if isinstance(node, _FUNCTION):
        every = "autouse" in "".join(map(ast.unparse, node.decorator_list))
        yield from [node.name] if every or node.name.startswith("pytest_") else []
    elif isinstance(node, ast.Assign):
        targets = map(ast.unparse, node.targets)
        yield from (one for one in targets if one.startswith(_STEERING) or _reaches_out(one))
    elif not isinstance(node, _PLAIN):
        text = ast.unparse(node)
        constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        yield from [] if constant or text.startswith(_HARMLESS) else [text.partition("\n")[0]]


def _takes_over(source: bytes) -> Iterator[str]:
    """What a module of tests does to other modules or to the runner when it is imported."""
    body = _body(source)
    known = {
        (alias.asname or alias.name).partition(".")[0]
        for node in body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for node in body:
        if isinstance(node, _FUNCTION) and (node.name.startswith("pytest_") or node.name in _WHOLE):
            yield f"hooks into the test runner: {node.name}"
        for target in getattr(node, "targets", ()):
            text = ast.unparse(target)
            if text == "pytest_plugins":
                yield f"hooks into the test runner: {text}"
            elif _reaches_out(text) and re.split(r"[.\[]", text)[0] in known:
                yield f"changes what is tested: {text}"
        if isinstance(node, ast.Expr | ast.For | ast.If) and re.search(_SETS, ast.unparse(node)):
            yield f"changes what is tested: {ast.unparse(node).partition(chr(10))[0]}"


def _reaches_out(target: str) -> bool:
    """Whether an assignment changes another module, such as `calc.add = ...`."""
    return ("." in target or "[" in target) and not target.startswith(_HARMLESS)


def _pyproject(source: bytes) -> dict[str, Any]:
    try:
        document = tomllib.loads(source.decode())
    except (ValueError, RecursionError):
        return {}
    tools = document.get("tool", {})
    kept = {f"tool.{name}": tools[name] for name in ("pytest", "coverage", "tox") if name in tools}
    plugins = document.get("project", {}).get("entry-points", {}).get("pytest11")
    return kept | ({"project.entry-points.pytest11": plugins} if plugins else {})


def _ini(source: bytes) -> dict[str, Any]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(source.decode())
    except (ValueError, configparser.Error):
        return {}
    return {name: dict(parser[name]) for name in parser if name.startswith(_INI)}


def _package(source: bytes) -> dict[str, Any]:
    try:
        document = json.loads(source)
    except (ValueError, RecursionError):
        return {}
    scripts = document.get("scripts", {}) if isinstance(document, dict) else {}
    tests = {name: text for name, text in scripts.items() if "test" in name}
    kept = {name: document[name] for name in ("jest", "mocha", "ava") if name in document}
    return kept | {f"scripts.{name}": text for name, text in tests.items()}


_SECTIONS: Mapping[str, Callable[[bytes], dict[str, Any]]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _ini,
    "tox.ini": _ini,
    "package.json": _package,
}
