"""Which tasks can run now, and when the others may."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from aifactory import order
from aifactory.model import Record, State
from aifactory.queue.admission import Admission
from aifactory.schedule import seconds_until

WAITING = (State.QUEUED, State.BLOCKED)


@dataclass(eq=False)
class Agenda(Admission):
    """Orders what was taken in; blocks, unblocks and wakes on the way."""

    _not_before: dict[str, float] = field(default_factory=dict, init=False)

    def runnable(self) -> list[str]:
        """Ids that can start now, in order; blocks and unblocks the others on the way."""
        with self._lock:
            self._wake_scheduled()
            waiting = [i for i, record in self.records.items() if record.state in WAITING]
            tasks = [self.task(task_id) for task_id in waiting]
            needed = {name for task in tasks for name in task.depends_on}
            states = {name: record.state for name in needed if (record := self.record(name))}
            done = {n for n, s in states.items() if s is State.DONE} | self._elsewhere
            afar = {name for name in done if name in states and self._is_afar(name)}
            lost = {n for n, s in states.items() if s.closed and s is not State.DONE}
            ages = {task_id: self.records[task_id].created_at for task_id in waiting}
            ready, blocked = order.order(
                tasks, done - afar, states.keys(), failed=lost, afar=afar, ages=ages
            )
            self._mark(blocked, [task.task_id for task in ready])
            return [task.task_id for task in ready if self._wait(task.task_id) <= 0]

    def _is_afar(self, task_id: str) -> bool:
        """Whether the forge merged a task's pull request and the local target lacks it."""
        record, repository = self.record(task_id), self.ledger.repository
        if not (record and record.pull and record.commit) or self.landed(task_id):
            return False
        held = repository.object(record.commit) is not None
        return not (held and repository.is_ancestor(record.commit, self.base()))

    def _wake_scheduled(self) -> None:
        """Queue the closed tasks whose time has come again."""
        for task_id, record in list(self.records.items()):
            if record.state.closed and record.due_at and self._wait(task_id) <= 0:
                self.put(self.task(task_id), self.file_of(task_id), "task.scheduled")

    def _wait(self, task_id: str) -> float:
        """Seconds until a task may start; none is left where this is not above zero."""
        due_at = self.records[task_id].due_at
        delayed = self._not_before.get(task_id, 0.0) - time.monotonic()
        return max(delayed, seconds_until(due_at) if due_at else 0.0)

    def _mark(self, blocked: Mapping[str, str], ready: Iterable[str]) -> None:
        for task_id, reason in blocked.items():
            record = self.records[task_id]
            if record.state is State.QUEUED or record.reason != reason:
                self.change(task_id, "task.blocked", data={"reason": reason}, reason=reason)
        for task_id in ready:
            if self.records[task_id].state is State.BLOCKED:
                self.change(task_id, "task.unblocked", reason="")

    def delay(self, task_id: str, seconds: float) -> None:
        """Do not start this task again before so many seconds have passed."""
        with self._lock:
            self._not_before[task_id] = time.monotonic() + seconds

    def next_due(self) -> float | None:
        """Seconds until a delayed or scheduled task may start, or None when there is none."""
        with self._lock:
            waits = (self._wait(i) for i, record in self.records.items() if is_to_run(record))
            return min((wait for wait in waits if wait > 0), default=None)

    def has_work(self, apart: Collection[str] = ()) -> bool:
        """Whether anything runs, or will without a schedule or a person; `apart` from some."""
        with self._lock:
            later = {r.task_id for r in self.records.values() if r.due_at} | set(apart)
            working = self.in_state(State.QUEUED, State.RUNNING)
            return self.has_room() or any(record.task_id not in later for record in working)


def is_to_run(record: Record) -> bool:
    return record.state is State.QUEUED or (record.state.closed and bool(record.due_at))
