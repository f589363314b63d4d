"""Files that only a task that names them may change."""

from __future__ import annotations

import pytest

from aifactory.protected import ALWAYS, guards, named, rule


@pytest.mark.parametrize(
    "path",
    [
        *("aifactory.toml", "AIFACTORY.TOML", "prompts/coder.md", "schemas/task.schema.json"),
        *(
            "tasks/new.json",
            "scripts/verify.sh",
            ".github/workflows/ci.yml",
            ".GitHub/x",
            ".ci/run",
        ),
        *(".gitlab-ci.yml", "Jenkinsfile", ".gitattributes", "src/.gitattributes", ".gitmodules"),
        *(
            ".venv/bin/python",
            "web/node_modules/x/index.js",
            ".husky/pre-commit",
            "uv.lock",
            "web/package-lock.json",
            "go.sum",
            "pylock.dev.toml",
        ),
    ],
)
def test_protected(path: str) -> None:
    assert rule(path, ALWAYS)


@pytest.mark.parametrize(
    "path", ["src/tasks/a.py", "src/prompts.py", "package.json", "scripts/build.sh", ".gitignore"]
)
def test_not_protected(path: str) -> None:
    assert rule(path, ALWAYS) is None


@pytest.mark.parametrize(
    ("path", "files", "asked"),
    [
        ("uv.lock", ["uv.lock"], True),
        ("web/uv.lock", ["web/uv.lock"], True),
        ("prompts/coder.md", ["prompts"], True),
        ("prompts/coder.md", ["prompts/"], True),
        ("prompts/coder.md", ["**"], False),
        ("prompts/coder.md", ["prompts/*.md"], False),
        ("web/uv.lock", ["web"], False),
        ("uv.lock", [], False),
    ],
)
def test_only_a_name_asks_for_it(path: str, files: list[str], asked: bool) -> None:
    assert bool(named(path, files, ALWAYS)) is asked


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("python -m pytest -q tests/test_a.py::test_one", ["tests/test_a.py"]),
        ("bash ./scripts/check.sh --config=tox.ini", ["scripts/check.sh", "tox.ini"]),
        ("make test", ["Makefile"]),
        ("python -m pytest", ["pytest.ini"]),
        ("python -m pytest tests", ["pytest.ini"]),
        ("echo 'unclosed", []),
    ],
)
def test_what_a_command_runs_guards_the_task(command: str, found: list[str]) -> None:
    base = ["tests/test_a.py", "scripts/check.sh", "Makefile", "tox.ini", "src/a.py"]
    base += ["pytest.ini"] if command.endswith(("pytest", "tests")) else []
    assert list(guards([command], base)) == found


def test_a_directory_asks_only_for_what_the_same_rule_protects() -> None:
    assert named(".github/workflows/ci.yml", [".github"], ALWAYS)
    assert not named(".github/.gitattributes", [".github"], ALWAYS)
    assert named(".github/.gitattributes", [".github", ".github/.gitattributes"], ALWAYS)
