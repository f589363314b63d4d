"""Names of files: which are safe to join to a root, and which a glob means."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from aifactory.paths import is_git, match, matches, refusal, tidied

PARTS = st.sampled_from(
    [
        *(
            "a",
            "src",
            "..",
            ".",
            "",
            "...",
            ".. ",
            "..\u200b",
            "~",
            "C:",
            "-rf",
            "*",
            "a b",
            "\u00e9",
        ),
        *(
            ".git",
            ".GIT",
            ".git.",
            ".git ",
            "git~1",
            ".g\u200cit",
            ".git::$INDEX_ALLOCATION",
            "a" * 256,
        ),
        *(
            "\\..\\",
            "a\\b",
            "nul\0",
            "new\nline",
            "\ud800",
            "\u202e",
            "\uff0e\uff0e",
            "link",
            "\x7f",
        ),
    ]
)
PATHS = st.lists(PARTS | st.text(max_size=4), max_size=6).map("/".join)


def escapes(root: Path, path: str) -> bool:
    """Whether the plain join of root and path leads out of the root, or into its Git directory."""
    try:
        joined = os.path.normpath(os.path.join(root, path))  # noqa: PTH118 - what is tested
        resolved = os.path.realpath(joined)
    except (ValueError, UnicodeEncodeError):
        return True
    inside = os.path.relpath(resolved, root)
    return inside == ".." or inside.startswith("../") or inside.lower().split("/")[0] == ".git"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace").resolve()


def test_generator_makes_paths_that_escape(root: Path) -> None:
    assert ".." in find(PATHS, lambda path: escapes(root, path) and ".." in path)
    assert find(PATHS, lambda path: path.startswith("/") and escapes(root, path))


@settings(max_examples=10_000)
@given(PATHS)
def test_no_path_that_passes_leads_out(root: Path, path: str) -> None:
    if refusal(path) is None:
        assert not escapes(root, path)
        assert os.path.normpath(path) == path
        assert not any(is_git(part) for part in path.split("/"))
        assert len(os.fsencode(path)) <= 4096


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("C:/x", "is absolute"),
        ("a/../../b", "has the part `..`"),
        ("./a", "has the part `.`"),
        ("a//b", "has an empty part"),
        ("a/", "has an empty part"),
        ("a\\b", "holds a backslash"),
        ("a\0b", "holds a control or invisible character"),
        ("a\nb", "holds a control or invisible character"),
        ("a\u202eb", "holds a control or invisible character"),
        ("\udcff", "holds a control or invisible character"),
        ("a" * 256, "has a part longer than 255 bytes"),
        ("\u00e9" * 128, "has a part longer than 255 bytes"),
        ("a/" * 2048 + "a", "is longer than 4096 bytes"),
        (".git/config", "reaches into Git's own directory"),
        ("sub/.Git/hooks/pre-commit", "reaches into Git's own directory"),
        ("GIT~1/config", "reaches into Git's own directory"),
        (".git. ./config", "reaches into Git's own directory"),
        (".git::$INDEX_ALLOCATION/config", "reaches into Git's own directory"),
        ("\uff0egit/config", "reaches into Git's own directory"),
    ],
)
def test_refusals(path: str, reason: str) -> None:
    assert refusal(path) == reason


@pytest.mark.parametrize(
    "path",
    ["a", ".gitignore", ".github/x.yml", "a b/\u00fc.txt", "...", "-rf", "git", ".gitx", "*"],
)
def test_safe_paths(path: str) -> None:
    assert refusal(path) is None


@pytest.mark.parametrize(
    ("glob", "path", "meant"),
    [
        ("src/a.py", "src/a.py", True),
        ("src", "src/deep/a.py", True),
        ("src/", "src/deep/a.py", True),
        ("src", "src2/a.py", False),
        ("*.py", "a.py", True),
        ("*.py", "src/a.py", False),
        ("*", "src/a.py", False),
        ("*/", "src/a.py", True),
        ("src/*", "src/a.py", True),
        ("src/*", "src/deep/a.py", False),
        ("src/*/tests", "src/x/tests/t.py", True),
        ("**", "any/where", True),
        ("**/a.py", "a.py", True),
        ("**/a.py", "x/y/a.py", True),
        ("src/**/*.py", "src/a.py", True),
        ("src/**/*.py", "src/x/y/a.py", True),
        ("src/**/*.py", "lib/src/a.py", False),
        ("src/**", "srcs/a", False),
        ("a?.txt", "ab.txt", True),
        ("a?.txt", "a/.txt", False),
        ("[ab].txt", "b.txt", True),
        ("app/[id].tsx", "app/[id].tsx", True),
        ("app/[id]", "app/[id]/page.tsx", True),
        ("A.py", "a.py", False),
        ("", "a", False),
    ],
)
def test_what_a_glob_means(glob: str, path: str, meant: bool) -> None:
    assert matches(glob, path) is meant


def test_first_glob_that_matches() -> None:
    assert match(["lib", "src/*.py", "src"], "src/a.py") == "src/*.py"
    assert match([], "src/a.py") is None


@pytest.mark.parametrize(
    ("said", "meant"), [("./a", "a"), (".//a", "a"), (".", "**"), ("./", "**"), ("a/./b", "a/./b")]
)
def test_tidied(said: str, meant: str) -> None:
    assert tidied(said) == meant


@pytest.mark.parametrize(
    "glob", ["**/" * 200 + "x", "*a" * 50 + "b", "**/*a*a*a*a*a*a*/" * 20 + "b"]
)
def test_no_glob_is_slow(glob: str) -> None:
    start = time.process_time()
    assert not matches(glob, "/".join(["a" * 200] * 20))
    assert time.process_time() - start < 1


@given(PATHS.filter(lambda path: refusal(path) is None))
def test_a_path_means_itself_and_everything_means_it(path: str) -> None:
    assert matches(path, path)
    assert matches("**", path)
    assert matches("/".join("*" for _ in path.split("/")), path)
