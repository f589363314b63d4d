"""The way of an agent to a workspace, and steps that are recorded so that they are done once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from aifactory import rooms
from aifactory.agents import Bench, label
from aifactory.factory import Factory
from aifactory.model import Task, Work
from aifactory.redaction import masked_bytes
from aifactory.tree import GitTree


@dataclass(frozen=True)
class Benches:
    """A `Bencher` for one attempt."""

    factory: Factory
    task: Task
    attempt: int
    tree: GitTree
    stop: threading.Event

    @contextmanager
    def __call__(self) -> Iterator[Bench]:
        factory = self.factory
        with factory.workspaces.lease() as workspace:
            room = rooms.room(
                factory,
                self.task,
                self.attempt,
                self.tree.commit,
                workspace,
                factory.repository,
                factory.repository.tree_of(self.tree.commit),
                stop=self.stop,
            )
            servers = rooms.servers(factory.repository, self.tree.commit)
            own = replace(room, servers=servers)
            yield Bench(own, self.tree, factory.config.policy.max_bytes)


@dataclass(frozen=True)
class Steps:
    """A `Doer` for one attempt."""

    factory: Factory
    task_id: str
    attempt: int

    def __call__(self, step: int, make: Callable[[], Work]) -> Work:
        name = f"work-{label(self.attempt, step)}.json"
        known = self.factory.ledger.artifact(self.task_id, name)
        if known is None:
            known = masked_bytes(make().model_dump_json(indent=1).encode() + b"\n")
            self._record(name, known)
        return Work.model_validate_json(known)

    def _record(self, name: str, data: bytes) -> None:
        files = [change.path for change in Work.model_validate_json(data).changes]
        self.factory.queue.note(
            self.task_id,
            "work.done",
            attempt=self.attempt,
            data={"files": files},
            artifacts={name: data},
        )
