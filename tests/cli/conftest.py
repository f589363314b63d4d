"""Commands as real processes, on real repositories whose ledger holds what a test needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aifactory import git, intake
from aifactory.events import Stream
from aifactory.layout import Layout
from aifactory.ledger import Ledger
from aifactory.model import Failure, Record, State, Task
from tests.conftest import IDENTITY, Checkout

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """What a command left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shop:
    """A repository with a ledger, and a shell in it."""

    checkout: Checkout
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repository = git.discover(self.checkout.root)
        self.layout = Layout(self.repository.root, self.repository.git_dir)
        self.ledger = Ledger(self.repository)
        self.stream = Stream()
        self.stream.subscribe(self.ledger.note)

    def environment(self) -> dict[str, str]:
        """Nothing of the tester's own settings and keys."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        own = {"HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state")}
        own |= {"AIFACTORY_CACHE_DIR": str(self.home / "cache"), "PYTHONPATH": str(ROOT)}
        return kept | own | IDENTITY | self.environ

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "aifactory", *arguments],
            cwd=cwd or self.checkout.root,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, stdin: str = "") -> Done:
        """Run one command to its end."""
        with self.start(*arguments, cwd=cwd) as process:
            out, err = process.communicate(stdin, timeout=200)
        return Done(process.returncode, out, err)

    def write_task(self, task_id: str, **fields: Any) -> Task:
        """A task file in `tasks/`."""
        path = self.layout.tasks / f"{task_id}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"task_id": task_id, "description": "Do it."} | fields))
        return intake.read(path)

    def put(
        self,
        task_id: str,
        state: State = State.QUEUED,
        artifacts: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Record:
        """A task in the ledger, as it would be after what led to its state."""
        task = Task(task_id=task_id, description="Do it.")
        self.stream.emit("task.accepted", task_id, state=State.QUEUED, file=f"{task_id}.json")
        if state is not State.QUEUED:
            self.stream.emit("attempt.started", task_id, 1, state=State.RUNNING, agent="coder")
            self.stream.emit(f"test.{state}", task_id, 1, state=state)
        known = {"title": f"Title of {task_id}", "digest": intake.identity(task), "agent": "coder"}
        times = {"created_at": "2026-01-01T00:00:00.000000Z"}
        record = Record(task_id=task_id, state=state, **{**known, **times, **fields})
        kept = {"task.json": task.model_dump_json(), **(artifacts or {})}
        self.ledger.save(record, {name: text.encode() for name, text in kept.items()})
        return record


@pytest.fixture
def shop(checkout: Checkout, scratch: Path) -> Iterator[Shop]:
    home = scratch / "home"
    home.mkdir()
    made = Shop(checkout, home)
    yield made
    made.repository.close()


@pytest.fixture
def failure() -> Callable[..., Failure]:
    """Makes failures: `failure("gate_failed", message="...")`."""

    def make(kind: str = "gate_failed", **more: Any) -> Failure:
        known = {"stage": "gate", "message": "the gate is red", "retryable": True}
        known |= {"next_step": "mend it"}
        return Failure.model_validate({"class": kind, **known, **more})

    return make
