"""A check, a result and a room for tests of what stands above the gate and in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aifactory.gate.base import GateResult, Room
from aifactory.git import Repository
from aifactory.model import Task, Verdict
from aifactory.sandbox import FakeSandbox
from aifactory.workspace import Workspace


@dataclass(frozen=True)
class FakeCheck:
    """A check whose verdict is given."""

    ok: bool = True
    message: str = "as told"
    evidence: str = ""
    name: str = "fake"

    def run(self, room: Room) -> Verdict:
        return verdict(self)


def verdict(check: FakeCheck) -> Verdict:
    return Verdict(check=check.name, ok=check.ok, message=check.message, evidence=check.evidence)


def result(*checks: FakeCheck) -> GateResult:
    """What a gate of these checks says, without a room."""
    return GateResult(tuple(map(verdict, checks)), ())


def room(repository: Repository, workspace: Workspace, tree: str, **parts: Any) -> Room:
    """A room for a tree, with a sandbox that runs nothing; any part may be given."""
    plain = Room(
        workspace=workspace,
        sandbox=FakeSandbox(),
        python=Path(sys.executable),
        task=Task(task_id="t1", description="a task"),
        repository=repository,
        tree=tree,
    )
    return replace(plain, **parts)
