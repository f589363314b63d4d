"""Rooms for the gate's tests: a real repository and workspace, a real or a scripted cage."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from aifactory.gate import Room
from aifactory.gate.fake import room as fake_room
from aifactory.git import Repository, discover
from aifactory.layout import Layout
from aifactory.model import CommandRecord, Task
from aifactory.sandbox import Sandbox, Spec, choose, owner
from aifactory.workspace import Workspace, Workspaces
from tests.conftest import Checkout


class MakeRoom(Protocol):
    """`make_room({"a.txt": "a"}, "true", task={...})`: a room with that tree and these commands."""

    def __call__(self, files: Mapping[str, str], *commands: str, **parts: Any) -> Room: ...


@pytest.fixture(scope="session")
def cage() -> Sandbox:
    return choose()


@pytest.fixture
def repository(
    make_checkout: Callable[..., Checkout], scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Repository]:
    monkeypatch.setenv("AIFACTORY_CACHE_DIR", str(scratch / "cache"))
    repository = discover(make_checkout(files={"README.md": "# A repository\n"}).root)
    yield repository
    repository.close()


@pytest.fixture
def workspace(repository: Repository) -> Iterator[Workspace]:
    layout = Layout(repository.root, repository.git_dir)
    with Workspaces(repository, layout, owner).lease() as leased:
        yield leased


@pytest.fixture
def make_room(repository: Repository, workspace: Workspace) -> MakeRoom:
    """Rooms whose sandbox only pretends: fast, and scripted by the test."""

    def make(
        files: Mapping[str, str],
        *commands: str,
        task: Mapping[str, object] | None = None,
        **parts: Any,
    ) -> Room:
        commit = Checkout(repository.root).commit(files)
        work = Task.model_validate({"task_id": "t1", "description": "a task", **(task or {})})
        tree = repository.tree_of(commit)
        return fake_room(repository, workspace, tree, task=work, commands=commands, **parts)

    return make


@pytest.fixture
def make_caged_room(make_room: MakeRoom, cage: Sandbox) -> MakeRoom:
    """Rooms whose commands really run, in the cage that this machine has."""

    def make(files: Mapping[str, str], *commands: str, **parts: Any) -> Room:
        return make_room(files, *commands, **{"sandbox": cage, "timeout": 120, **parts})

    return make


class Uncaged:
    """Runs the tests' own commands for real, but without a cage: many times faster."""

    name = "uncaged"

    def run(self, spec: Spec, stop: threading.Event | None = None) -> CommandRecord:
        done = subprocess.run(
            spec.argv,
            cwd=spec.workspace,
            env={"HOME": "/tmp", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **spec.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=spec.limits.seconds,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        return CommandRecord(argv=spec.argv, exit_code=done.returncode, output=said)


@pytest.fixture
def make_quick_room(make_room: MakeRoom) -> MakeRoom:
    """Rooms whose commands really run, where nothing needs a cage to hold it."""

    def make(files: Mapping[str, str], *commands: str, **parts: Any) -> Room:
        return make_room(files, *commands, **{"sandbox": Uncaged(), "timeout": 120, **parts})

    return make
