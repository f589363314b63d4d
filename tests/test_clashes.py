"""Changes that cannot stand beside each other, or beside the tree."""

from __future__ import annotations

import time

import pytest

from aifactory.clashes import clashes
from aifactory.model import Change

BASE = {
    "src/a.py": "100644",
    "docs/index.md": "100644",
    "Makefile": "100644",
    "README": "100644",
    "readme": "100644",
    "link": "120000",
    "vendor": "160000",
    "caf\u00e9/x": "100644",
}


def write(*paths: str) -> list[Change]:
    return [Change(path=path, content=b"x") for path in paths]


def remove(*paths: str) -> list[Change]:
    return [Change(path=path, content=None) for path in paths]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (write("new", "new"), "is changed twice"),
        (write("src"), "is a directory"),
        (write("new", "new/below"), "is a directory"),
        (write("src/a.py/below"), "is below 'src/a.py', which is a file"),
        (write("link"), "is a symbolic link"),
        (remove("link"), "is a symbolic link"),
        (write("link/x"), "goes through a symbolic link, 'link'"),
        (remove("vendor/x"), "goes through a submodule, 'vendor'"),
        (write("makefile"), "differs from 'Makefile' only in case or Unicode form"),
        (write("SRC/b.py"), "differs from 'src' only in case or Unicode form"),
        (write("new/a", "New/b"), "differs from 'New' only in case or Unicode form"),
        (write("cafe\u0301/y"), "differs from 'caf\u00e9' only in case or Unicode form"),
    ],
)
def test_clash(changes: list[Change], said: str) -> None:
    assert said in [rule for _, rule in clashes(changes, BASE)]


@pytest.mark.parametrize(
    "changes",
    [
        write("src/a.py", "src/b.py", "other/a.py"),
        write("README"),
        [*remove("src/a.py"), *write("src")],
        [*remove("src/a.py"), *write("src/a.py/below")],
        [*remove("Makefile"), *write("makefile")],
        remove("gone/already"),
    ],
)
def test_no_clash(changes: list[Change]) -> None:
    assert list(clashes(changes, BASE)) == []


def test_large_trees_cost_little() -> None:
    base = {f"src/d{n // 100}/f{n}.py": "100644" for n in range(50_000)}
    start = time.process_time()
    assert list(clashes(write("src/d1/new.py", "other/x"), base)) == []
    assert time.process_time() - start < 1
