"""What one run of the daemon works with, put together once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from aifactory.agents import Kinds
from aifactory.config import Config
from aifactory.environments import Environments
from aifactory.errors import AifactoryError, DeadlinePassed
from aifactory.events import Stream
from aifactory.flakes import Flakes
from aifactory.forge import Forge
from aifactory.gate import Known
from aifactory.git import Remote, Repository
from aifactory.landing import Lander
from aifactory.layout import Layout
from aifactory.ledger import Ledger
from aifactory.model import State, Task
from aifactory.models import Models
from aifactory.prompts import Prompts
from aifactory.purse import Purse
from aifactory.queue import Queue
from aifactory.sandbox import Sandbox
from aifactory.workspace import Workspaces

T = TypeVar("T")

TROUBLE_SECONDS = 15.0


class Trouble:
    """The machine cannot be worked on for a while; then it is tried again."""

    def __init__(self, error: AifactoryError) -> None:
        self.error = error
        self._until = time.monotonic() + TROUBLE_SECONDS

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._until


@dataclass(frozen=True)
class Hold:
    """A task waits for the gate to be mended: since when, on which tip, and for how long."""

    tip: str
    seconds: float
    since: float = field(default_factory=time.monotonic)

    def over(self, tip: str) -> bool:
        return tip != self.tip or time.monotonic() - self.since >= self.seconds


@dataclass
class Factory:
    """The parts of a run. `known`, `held`, `stops` and `trouble` change while it goes on."""

    repository: Repository
    layout: Layout
    config: Config
    stream: Stream
    ledger: Ledger
    queue: Queue
    prompts: Prompts
    kinds: Kinds
    models: Models
    purse: Purse
    flakes: Flakes
    sandbox: Callable[[], Sandbox]  # chosen at the first use, by a real test
    workspaces: Workspaces
    lander: Lander
    target: str
    python: Path
    environments: Environments
    forge: Callable[[], Forge]  # raises a ForgeFailed where there is none to work with
    remote: Remote  # where branches of pull requests go
    defect: Callable[[BaseException], AifactoryError]  # a bug, with its report file
    model: str | None = None  # answers in place of every other
    patience: int | None = None  # transient failures of one task before giving up; None: no end
    known: Known = field(default_factory=Known)  # what the gate's commands did on which tree
    held: dict[str, Hold] = field(default_factory=dict)  # by task, while the gate is broken
    stops: dict[str, threading.Event] = field(default_factory=dict)
    trouble: Trouble | None = None  # why no work is taken now: class `environment`
    paused: dict[str, str] = field(default_factory=dict)  # agents, with what pins their files
    exit_codes: dict[str, int] = field(default_factory=dict)  # of tasks that failed in this run

    def tip(self) -> str:
        """The commit that the target branch holds; `""` when it has none yet."""
        return self.repository.tip(self.target) or ""

    def stop_of(self, task_id: str) -> threading.Event:
        """Set to interrupt what runs for a task."""
        return self.stops.setdefault(task_id, threading.Event())

    def left_of(self, task: Task) -> float:
        """Wall seconds that the attempt under way still has; DeadlinePassed when there are none."""
        given = task.budget.seconds
        record = self.queue.records.get(task.task_id)
        if given is None or record is None or record.state is not State.RUNNING:
            return math.inf
        worked = self.queue.worked(task.task_id)
        if worked >= given:
            raise DeadlinePassed(f"{worked:.0f} of {given:g} seconds have passed")
        return given - worked

    def lands_later(self) -> bool:
        """Whether something verified waits to land."""
        return bool(self.queue.in_state(State.READY))


class Once(Generic[T]):
    """Makes something when it is needed first, then keeps it; what stands in the way is told each
    time."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: T | None = None
        self._lock = threading.Lock()

    def __call__(self) -> T:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made
