"""Every open task with its record, and the only place where a state changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aifactory import failpoints
from aifactory.errors import InvalidTask
from aifactory.events import Stream
from aifactory.ledger import Ledger
from aifactory.model import Event, Record, State, Task, now
from aifactory.schedule import next_time
from aifactory.states import step


@dataclass(eq=False)
class Book:
    """The records, each change of which is told and lasts. Safe to use from several threads.

    `report` gives the text that is kept of a closed task.
    """

    ledger: Ledger
    stream: Stream
    report: Callable[[Record, Sequence[Event]], str]
    records: dict[str, Record] = field(default_factory=dict, init=False)
    ended_badly: set[str] = field(default_factory=set, init=False)
    _tasks: dict[str, Task] = field(default_factory=dict, init=False)
    _running_since: dict[str, float] = field(default_factory=dict, init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)

    def task(self, task_id: str) -> Task:
        with self._lock:
            if task_id not in self._tasks:
                task = self.ledger.task(task_id)
                if task is None:
                    raise InvalidTask(f"{task_id}: there is no such task")
                self._tasks[task_id] = task
            return self._tasks[task_id]

    def record(self, task_id: str) -> Record | None:
        """The record of an open task, else of a closed one, else None."""
        with self._lock:
            if record := self.records.get(task_id):
                return record
        history = self.ledger.find(task_id)
        return history.record if history else None

    def in_state(self, *states: State) -> list[Record]:
        with self._lock:
            return [record for record in self.records.values() if record.state in states]

    def change(
        self,
        task_id: str,
        event: str,
        *,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
        artifacts: Mapping[str, bytes] | None = None,
        keep: Iterable[str] = (),
        **fields: Any,
    ) -> Record:
        """Take one step of the table: the event is told, then all of it lasts."""
        with self._lock:
            old = self.record(task_id)
            state = step(old.state if old else None, event)
            if not (old and old.state is state and state.closed):
                fields["finished_at"] = now() if state.closed else None
            fields |= self._worked(task_id, old, state)
            return self._save(
                task_id, old, event, attempt, data, artifacts, keep, fields | {"state": state}
            )

    def worked(self, task_id: str) -> float:
        """Wall seconds of a task's attempts, of one under way up to now."""
        with self._lock:
            record = self.records[task_id]
            since = self._running_since.get(task_id)
            return record.seconds + (time.monotonic() - since if since is not None else 0.0)

    def _worked(self, task_id: str, old: Record | None, state: State) -> dict[str, Any]:
        """The seconds of an attempt, added up when it ends."""
        if state is State.RUNNING:
            self._running_since[task_id] = time.monotonic()
        elif old and (since := self._running_since.pop(task_id, None)) is not None:
            return {"seconds": old.seconds + time.monotonic() - since}
        return {}

    def note(
        self,
        task_id: str,
        event: str,
        *,
        attempt: int | None = None,
        data: Mapping[str, Any] | None = None,
        artifacts: Mapping[str, bytes] | None = None,
        **fields: Any,
    ) -> Record:
        """Record something that leaves the state as it is."""
        with self._lock:
            old = self.records[task_id]
            return self._save(task_id, old, event, attempt, data, artifacts, (), fields)

    def _save(
        self,
        task_id: str,
        old: Record | None,
        event: str,
        attempt: int | None,
        data: Mapping[str, Any] | None,
        artifacts: Mapping[str, bytes] | None,
        keep: Iterable[str],
        fields: dict[str, Any],
    ) -> Record:
        known = old or Record(task_id=task_id, state=State.QUEUED, created_at=now())
        record = known.model_copy(update=fields)
        if record.schedule and record.state.closed and not known.state.closed:
            again = record.state in (State.DONE, State.FAILED)
            due_at = next_time(record.schedule) if again else None
            record = record.model_copy(update={"due_at": due_at})
        told = self.stream.emit(event, task_id, attempt, state=record.state, **(data or {}))
        news = dict(artifacts or {})
        try:
            if record.state.closed:
                events = self.ledger.events(task_id)
                news["report.md"] = self.report(record, events).encode(errors="replace")
            failpoints.hit("queue.told")
            self.ledger.save(record, news, keep)
        except BaseException:
            self.ledger.forget(told)
            raise
        self.records[task_id] = record
        failpoints.hit("queue.saved")
        if record.state in (State.FAILED, State.REJECTED):
            self.ended_badly.add(task_id)
        else:
            self.ended_badly.discard(task_id)
        return record
