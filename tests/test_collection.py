"""Files that decide which tests run."""

from __future__ import annotations

import pytest

from aifactory.collection import steers
from aifactory.model import Change

BASE = ("pyproject.toml", "src/a.py", "tests/test_a.py", "web/package.json", "web/a.test.js")


def told(path: str, new: str | None, old: str | None = None) -> str:
    content = None if new is None else new.encode()
    base = (*BASE, *([path] if old is not None else []))
    return steers(Change(path=path, content=content), old and old.encode(), base)


@pytest.mark.parametrize(
    "path",
    [
        *("conftest.py", "tests/conftest.py", "tests/ConfTest.py", "pytest.ini", ".pytest.ini"),
        *("jest.config.ts", "web/vitest.config.mjs", ".mocharc.json", "noxfile.py"),
    ],
)
def test_whole_files(path: str) -> None:
    assert "which tests run" in told(path, "x = 1\n")
    assert "which tests run" in told(path, None, "x = 1\n")


@pytest.mark.parametrize("path", ["src/conftest.py", "new/conftest.py", "docs/pytest.ini"])
def test_where_no_test_stands_there_is_nothing_to_steer(path: str) -> None:
    assert told(path, "x") == ""
    assert steers(Change(path="conftest.py", content=b"x"), None, ("README.md", "a.py")) == ""


@pytest.mark.parametrize(
    ("path", "old", "new", "steering"),
    [
        ("pyproject.toml", "[project]\nname='a'\n", "[project]\nname='b'\n", False),
        ("pyproject.toml", "", "[tool.pytest.ini_options]\ntestpaths=['none']\n", True),
        ("pyproject.toml", "[tool.pytest.ini_options]\nx=1\n", "", True),
        ("pyproject.toml", "[project]\n", "[tool.pytest", True),
        ("setup.cfg", "[metadata]\nname=a\n", "[metadata]\nname=b\n", False),
        ("setup.cfg", "[metadata]\n", "[tool:pytest]\naddopts=-k none\n", True),
        ("tox.ini", "[flake8]\n", "[flake8]\nx=1\n", False),
        ("tox.ini", "[testenv]\ncommands=pytest\n", "[testenv]\ncommands=true\n", True),
        ("web/package.json", '{"name": "a"}', '{"name": "b"}', False),
        ("web/package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": ":"}}', True),
        ("web/package.json", "{}", '{"jest": {"testMatch": []}}', True),
        ("web/package.json", "{}", "[]", True),
    ],
)
def test_parts_of_files(path: str, old: str, new: str, steering: bool) -> None:
    assert bool(told(path, new, old)) is steering


@pytest.mark.parametrize(
    ("path", "steering"),
    [
        ("pytest.py", True),
        ("_pytest/__init__.py", True),
        ("unittest/x.py", True),
        ("sitecustomize.py", True),
        ("json.py", True),
        ("src/json.py", False),
        ("json/schema.txt", False),
        ("calculator.py", False),
    ],
)
def test_a_module_in_front_of_the_runner(path: str, steering: bool) -> None:
    assert bool(told(path, "x = 1\n")) is steering
    assert told(path, "x = 1\n", "x = 0\n") == ""
    assert told(path, None) == ""
