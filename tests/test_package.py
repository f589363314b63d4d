"""The wheel holds what the installed program needs, and the lock what the machine installs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel unpacked, as an installer leaves it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


@pytest.mark.parametrize("family", ["schemas", "prompts", "examples"])
def test_wheel_ships(installed: Path, family: str) -> None:
    code = f"from aifactory.layout import shipped; print(shipped({family!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True
    )
    shipped = Path(done.stdout.strip())
    assert shipped.is_relative_to(installed)
    names = {path.relative_to(shipped) for path in shipped.rglob("*") if path.is_file()}
    tracked = subprocess.check_output(["git", "ls-files", "-z", family], cwd=ROOT, text=True)
    expected = {Path(name).relative_to(family) for name in tracked.split("\0") if name}
    assert expected
    assert expected <= names


def test_wheel_has_no_strangers(installed: Path) -> None:
    tops = {path.name.partition("-")[0] for path in installed.iterdir()}
    assert tops == {"aifactory"}


def test_lock_names_the_public_index_only() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_requirements_are_the_lock() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    locked = {(package["name"], package.get("version")) for package in lock["package"]}
    text = (ROOT / ".ci/requirements.txt").read_text()
    pins = set(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", text, re.MULTILINE))
    assert len(pins) > 50
    assert pins <= locked, "run `make lock`"


def test_malicious_releases_are_out_of_reach() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (gateway,) = (line for line in project["dependencies"] if line.startswith("litellm"))
    assert "!=1.82.7" in gateway
    assert "!=1.82.8" in gateway
    assert "proxy" not in gateway


def imported_packages() -> set[str]:
    """What our modules import; the programs in the cage import what the repository there has."""
    paths = (ROOT / "aifactory").rglob("*.py")
    trees = [ast.parse(path.read_text()) for path in paths if path.parent.name != "programs"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    from_ = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    tops = {name.partition(".")[0] for name in [*plain, *from_]}
    return tops - sys.stdlib_module_names - {"", "aifactory"}


def test_imports_are_declared_and_what_is_declared_is_used() -> None:
    """Two are imported by other names; what LiteLLM and PyGithub stand on is what they raise."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[^a-z0-9-]", line)[0] for line in project["dependencies"]}
    named = {"yaml": "pyyaml", "git": "gitpython"}
    imported = {named.get(name, name) for name in imported_packages()}
    extras = {"fastapi", "uvicorn", "nats", "langgraph", "github", "opentelemetry"}
    assert imported - declared - extras <= {"aiohttp", "httpx", "openai", "requests"}
    assert declared - imported <= {"pytest", "ruff"}  # run in the cage, not imported
