"""What decides which tests run, and as what: changed only by a task that names the file.

A conftest that skips everything, a setting that looks elsewhere, a module that stands in front of
the test runner: each makes a gate green without a single test being touched.
"""

from __future__ import annotations

import configparser
import json
import re
import sys
import tomllib
from collections.abc import Callable, Collection
from fnmatch import fnmatchcase
from typing import Any

from aifactory.model import Change

WHOLE = (
    *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "noxfile.py"),
    *("jest.config.*", "vitest.config.*", "vitest.workspace.*", ".mocharc*", "karma.conf.*"),
    *("playwright.config.*", "cypress.config.*", "phpunit.xml*", ".rspec"),
)
_TEST = re.compile(
    r"(^|/)(tests?|__tests__|spec)/|(^|/)test_[^/]*\.py$|_test\.\w+$|\.(test|spec)\.\w+$"
)
_SECTION = re.compile("tool:pytest|pytest|tox|testenv")
# Imported by name from the top of the tree before what is installed: `python -m pytest`.
RUNNERS = (
    *("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "exceptiongroup", "tomli", "py"),
    *("coverage", "pytest_cov", "xdist", "hypothesis", "nose2", "tox", "nox", "mypy", "ruff"),
    *("bandit", "sitecustomize", "usercustomize"),
)
_SHADOWING = frozenset(sys.stdlib_module_names) | frozenset(RUNNERS)


def steers(change: Change, before: bytes | None, base: Collection[str]) -> str:
    """How a change would decide which tests run, or "". `before` is the file's old content.

    Where no test stands yet below the file's directory, there is nothing to steer.
    """
    folder, _, name = change.path.casefold().rpartition("/")
    if _shadows(change, base):
        return f"stands in front of the module {_top(change.path)}, which a gate may run"
    if not any(_TEST.search(path) for path in base if _below(path, folder)):
        return ""
    if any(fnmatchcase(name, glob) for glob in WHOLE):
        return "decides which tests run"
    if (part := _PARTS.get(name)) and _part(part, before) != _part(part, change.content):
        return "changes what decides which tests run"
    return ""


def _below(path: str, folder: str) -> bool:
    return not folder or path.casefold().startswith(f"{folder}/")


def _top(path: str) -> str:
    return path.partition("/")[0].removesuffix(".py")


def _shadows(change: Change, base: Collection[str]) -> bool:
    """Whether a new module at the top has the name of one that is imported from elsewhere."""
    top = _top(change.path)
    if change.content is None or top not in _SHADOWING or not change.path.endswith(".py"):
        return False
    return not any(_top(path) == top and path.endswith(".py") for path in base)


def _part(read: Callable[[str], Any], content: bytes | None) -> Any:
    """What counts of a file; all of it where it cannot be read."""
    try:
        return read((content or b"").decode())
    except (ValueError, configparser.Error, AttributeError):
        return content


def _pyproject(text: str) -> Any:
    tool = tomllib.loads(text).get("tool", {})
    return [tool.get(name) for name in ("pytest", "tox", "nox", "poe", "hatch", "pdm", "coverage")]


def _ini(text: str) -> Any:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    found = {name: dict(parser[name]) for name in parser.sections()}
    return {name: part for name, part in found.items() if _SECTION.match(name)}


def _package(text: str) -> Any:
    found = json.loads(text or "{}")
    return [found.get(name) for name in ("scripts", "jest", "mocha", "ava", "vitest", "c8", "nyc")]


_PARTS: dict[str, Callable[[str], Any]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _ini,
    "tox.ini": _ini,
    "package.json": _package,
}
