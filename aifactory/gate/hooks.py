"""What runs or steers the tests without being one, file by file, in words."""

from __future__ import annotations

import ast
import configparser
import json
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

_ALWAYS_RUN = ("sitecustomize.py", "usercustomize.py")
_SETTINGS = frozenset(
    [
        *("pytest.ini", ".pytest.ini", "noxfile.py", ".coveragerc", "phpunit.xml", ".rspec"),
        *("phpunit.xml.dist", "karma.conf.js", ".mocharc.json", ".mocharc.js", ".mocharc.yml"),
        *(f"{tool}.config.{end}" for tool in ("jest", "vitest") for end in ("js", "ts", "mjs")),
    ]
)
_TOOLS = frozenset(
    ["pytest", "_pytest", "pluggy", "iniconfig", "coverage", "hypothesis", "nose", "xdist", "mock"]
)
_SHADOWS = (_TOOLS | sys.stdlib_module_names) - {"test"}
_PLAIN = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.AnnAssign)
_STEERING = ("collect_ignore", "pytest_")
_HARMLESS = ("sys.path.", "os.environ", "warnings.")
_INI = ("pytest", "tool:pytest", "testenv", "tox", "coverage:run", "options.entry_points")


def steering(path: str, before: bytes, after: bytes) -> Iterator[str]:
    """What of a file's new version changes how tests are run; `before` is empty for a new one."""
    name = PurePosixPath(path).name
    if name in _ALWAYS_RUN or name.endswith(".pth"):
        yield "runs at the start of every Python program"
    if name in _SETTINGS:
        yield "is a setting of the test runner"
    if not before and (module := _shadow(path)):
        yield f"stands in the way of the module {module}"
    if name == "conftest.py":
        known = _hooks(before)
        new = (name for name, text in _hooks(after).items() if known.get(name) != text)
        yield from (f"hooks into the test runner: {name}" for name in new)
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
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {name: ast.dump(node) for node in body for name in _steers(node)}


def _steers(node: ast.stmt) -> Iterator[str]:
    """The names under which a statement of a conftest.py has a say in what is run."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from [node.name] if node.name.startswith("pytest_") else []
    elif isinstance(node, ast.Assign):
        targets = map(ast.unparse, node.targets)
        yield from (one for one in targets if one.startswith(_STEERING) or _reaches_out(one))
    elif not isinstance(node, _PLAIN):
        text = ast.unparse(node)
        constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        yield from [] if constant or text.startswith(_HARMLESS) else [text.partition("\n")[0]]


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
