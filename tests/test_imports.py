"""Who may import what, and who may touch the disk for keeps. The contracts of the house."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "aifactory"

# What only some rooms may use. A room is a module or a folder of aifactory.
RESERVED = {
    "litellm": {"models"},
    "subprocess": {"git", "sandbox", "models", "signing"},
    "rich": {"cli", "view"},
    "typer": {"cli"},
    "git": {"git"},
    "langgraph": {"pipeline"},
    "nats": {"fleet"},
    "fastapi": {"server"},
    "uvicorn": {"server"},
    "github": {"forge"},
    "opentelemetry": {"telemetry"},
}
DURABLE = {"fsync", "fdatasync", "replace"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def durable_calls(tree: ast.AST) -> Iterator[str]:
    """Calls such as `os.fsync(...)`; `str.replace` takes no part."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in DURABLE
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
        ):
            yield f"os.{node.attr}"


def test_levels_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_imports(name: str) -> None:
    users = {room(path) for path in modules() if name in imported(ast.parse(path.read_text()))}
    assert users <= RESERVED[name]


def test_only_files_writes_for_keeps() -> None:
    found = {
        (room(module), call)
        for module in modules()
        for call in durable_calls(ast.parse(module.read_text()))
    }
    assert {place for place, _ in found} <= {"files"}, found


@pytest.mark.parametrize("start", ["import aifactory", "from aifactory import config, ledger"])
def test_start_is_light(start: str) -> None:
    heavy = sorted({"litellm", "langgraph", "fastapi", "nats", "github", "opentelemetry", "rich"})
    code = f"import sys; {start}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
