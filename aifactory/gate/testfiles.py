"""Which files are tests and which are code, by the customs of their languages."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from aifactory.paths import match, tidied

_TESTS = (
    *("**/test_*.py", "**/*_test.py", "**/tests/**/*.py", "**/test/**/*.py", "**/tests.py"),
    *(f"**/*.{kind}.{end}" for kind in ("test", "spec") for end in ("js", "jsx", "ts", "tsx")),
    *(f"**/*.{kind}.{end}" for kind in ("test", "spec") for end in ("mjs", "cjs", "mts")),
    *("**/__tests__/**", "**/*_test.go", "**/tests/**/*.rs", "**/src/test/**", "**/*Test.java"),
    *("**/*Tests.java", "**/*Test.kt", "**/*_spec.rb", "**/*_test.rb", "**/*Test.php"),
    *("**/*Tests.cs", "**/*Test.cs", "**/*_test.exs", "**/*_test.dart", "**/*.bats"),
)
_PLACES = (
    *("tests", "test", "spec", "testdata", "golden", "snapshots", "fixtures"),
    *("__snapshots__", "__fixtures__"),
)
_AMONG = tuple(f"**/{name}/**" for name in _PLACES)
_CODE = frozenset(
    [
        *(
            ".py",
            ".js",
            ".jsx",
            ".ts",
            ".tsx",
            ".mjs",
            ".cjs",
            ".mts",
            ".go",
            ".rs",
            ".java",
            ".kt",
        ),
        *(
            ".rb",
            ".php",
            ".cs",
            ".c",
            ".cc",
            ".cpp",
            ".h",
            ".hpp",
            ".swift",
            ".scala",
            ".ex",
            ".lua",
        ),
        *(".exs", ".dart", ".pl", ".pm", ".hs", ".ml", ".clj", ".vue", ".svelte"),
    ]
)


def is_test(path: str) -> bool:
    """Whether a file holds tests, or what only tests use."""
    return match(_TESTS, path) is not None


def is_of_tests(path: str) -> bool:
    """Whether a file is a test or lies among tests: data, records, helpers."""
    return is_test(path) or match(_AMONG, path) is not None


def is_code(path: str) -> bool:
    """Whether a file is code that tests could be about."""
    return PurePosixPath(path).suffix in _CODE and not is_test(path)


def named(path: str, files: Iterable[str]) -> bool:
    """Whether a task's `files` ask for a file by itself; a wildcard or a directory does not."""
    return path in map(tidied, files)
