"""What is to be done: task files in, tasks in order out. The only place where a state changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aifactory import failpoints, intake, order, schema, shelf
from aifactory.errors import InvalidTask
from aifactory.events import Stream
from aifactory.layout import Layout
from aifactory.ledger import Ledger
from aifactory.model import Event, Failure, Record, State, Task, now
from aifactory.schedule import next_time, seconds_until
from aifactory.states import step

ARCHIVE_COUNT = 100
ARCHIVE_SECONDS = 60.0
MANY = 100  # task files that are new here
WAITING = (State.QUEUED, State.BLOCKED)


class Queue:
    """Every open task with its record. Safe to use from several threads."""

    def __init__(
        self,
        layout: Layout,
        ledger: Ledger,
        stream: Stream,
        base: Callable[[], str],
        report: Callable[[Record, Sequence[Event]], str] = lambda record, events: "",
        landed: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`base` gives the tip of the target branch, `report` the text kept of a closed task,
        `landed` the commits of tasks that landed before this ledger was begun."""
        self.layout = layout
        self.ledger = ledger
        self.stream = stream
        self.records: dict[str, Record] = {}
        self.ended_badly: set[str] = set()
        self._base = base
        self._report_of = report
        self._landed = landed
        self._tasks: dict[str, Task] = {}
        self._files: dict[Path, intake.Found] = {}
        self._settled: dict[Path, intake.Found] = {}  # good files that were looked at as they are
        self._found: list[intake.Found] = []
        self._reported: set[tuple[Path, str]] = set()
        self._elsewhere: set[str] = set()  # done before, as their files say
        self._not_before: dict[str, float] = {}
        self._running_since: dict[str, float] = {}
        self._archived_at = time.monotonic()
        self._lock = threading.RLock()

    def load(self) -> None:
        """Read the open tasks of earlier runs, and make ready to read task files at once."""
        schema.check({}, "task")
        with self._lock:
            self.records = self.ledger.load()
            self._files, over = shelf.load(self.layout.shelf, self.layout.tasks, self.ledger.tip())
            self._settled = {path: self._files[path] for path in over}

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

    # changes

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
            fields["finished_at"] = now() if state.closed else None
            fields |= self._worked(task_id, old, state)
            return self._save(
                task_id, old, event, attempt, data, artifacts, keep, fields | {"state": state}
            )

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
                news["report.md"] = self._report_of(record, events).encode(errors="replace")
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

    # task files

    def take_in(self) -> None:
        """Look at `tasks/` and take in what is new or mended."""
        found = intake.scan(self.layout.tasks, self._files)
        with self._lock:
            self._found = found
            self._files = {one.path: one for one in found if one.stamp}
            self._withdraw({self._name(one) for one in found if one.error})
            self._settle_many(found)
            for one in found:
                if one.task is None:
                    self._refuse(one)
                elif one.task.closed_before:
                    self._elsewhere.add(one.task.task_id)
                elif self._settled.get(one.path) is not one:
                    self._accept(one, one.task)
                    self._settled[one.path] = one

    def _settle_many(self, found: Sequence[intake.Found]) -> None:
        """Where many files are new here, ask for all closed tasks at once and not for each."""
        good = [one for one in found if one.task and one.task_id not in self.records]
        new = [one for one in good if self._settled.get(one.path) is not one]
        if len(new) < MANY:
            return
        closed = {history.record.task_id: history.record.digest for history in self.ledger.closed()}
        same = [one for one in new if one.task_id and closed.get(one.task_id) == one.digest]
        self._settled |= {one.path: one for one in same}
        if same:
            self._put_on_shelf()

    def _name(self, found: intake.Found) -> str:
        """The id of a bad file: its own where it can be read, else one made of its name."""
        return found.task_id or intake.id_of_file(found.path)

    def _withdraw(self, bad: set[str]) -> None:
        """A bad file that is gone, or good under another id, is no task any more."""
        for task_id, record in list(self.records.items()):
            at_intake = record.failure is not None and record.failure.stage == "intake"
            if record.state is State.REJECTED and at_intake and task_id not in bad:
                good = any(one.task_id == task_id for one in self._found)
                if not good:
                    self.change(task_id, "task.withdrawn")

    def _accept(self, found: intake.Found, task: Task) -> None:
        known = self.record(task.task_id)
        if known and known.digest == found.digest:
            return
        if known and known.state is not State.REJECTED:
            self._report(
                found,
                f"{found.path.name}: task {task.task_id} is known with other content; "
                f"`aifactory retry {task.task_id}` runs it again as it is now, or give it a new id",
            )
            return
        commit = None if known or task.schedule else self._landed().get(task.task_id)
        if commit:
            self._remember(task, found, commit)
        else:
            self.put(task, found)

    def _remember(self, task: Task, found: intake.Found, commit: str) -> None:
        """Take in as done what the target's history holds already."""
        again = f"`aifactory retry {task.task_id}` runs it again"
        reason = f"landed before this ledger was begun; {again}"
        self.change(
            task.task_id,
            "task.landed",
            data={"file": found.path.name, "commit": commit, "reason": reason},
            artifacts={"task.json": task.model_dump_json(indent=1).encode() + b"\n"},
            **self._described(task, found),
            commit=commit,
            reason=reason,
        )

    def _described(self, task: Task, found: intake.Found | None) -> dict[str, Any]:
        """What a record takes over of its task."""
        return {
            "digest": found.digest if found else intake.identity(task),
            "file": found.path.name if found else "",
            "title": task.title or task.description.strip().splitlines()[0][:100],
            "agent": task.assignee or "",
            "priority": task.priority,
            "depends_on": task.depends_on,
            "schedule": task.schedule or "",
            "base": self._base(),
        }

    def put(self, task: Task, found: intake.Found | None, event: str = "task.accepted") -> None:
        """Take a task in, with the tip of the target as it is now."""
        later = bool(task.schedule) and event == "task.accepted"
        due_at = next_time(task.schedule) if later and task.schedule else None
        with self._lock:
            self._tasks[task.task_id] = task
            self.change(
                task.task_id,
                event,
                data={"file": found.path.name} if found else None,
                artifacts={"task.json": task.model_dump_json(indent=1).encode() + b"\n"},
                **self._described(task, found),
                due_at=due_at,
                failure=None,
                reason=f"waits for its time, {due_at}" if due_at else "",
                charged=0,
                uncharged=0,
                signatures=(),
                commit=None,
                pending=None,
                started_at=None,
            )

    def _refuse(self, found: intake.Found) -> None:
        """Reject the task of a bad file. Where its id stands for something else, only tell."""
        task_id, error = self._name(found), found.error or InvalidTask("not a task")
        known = self.record(task_id)
        if known and known.state is not State.REJECTED:
            return self._report(found, error.message)
        if known and known.digest == found.digest:
            self.ended_badly.add(task_id)
            return None
        if known and found.path.name != known.file and self._is_bad(known.file):
            return self._report(found, error.message)
        self.change(
            task_id,
            "task.refused",
            data={"file": found.path.name, "problems": error.message},
            digest=found.digest,
            file=found.path.name,
            title=found.path.name,
            failure=Failure.of(error, "intake"),
        )
        return None

    def _is_bad(self, name: str) -> bool:
        """Whether a file of this name is one of those that hold no task now."""
        return any(one.path.name == name and one.error for one in self._found)

    def _report(self, found: intake.Found, message: str) -> None:
        if (found.path, found.digest) not in self._reported:
            self._reported.add((found.path, found.digest))
            self.stream.emit("file.refused", file=found.path.name, problems=message)

    def file_of(self, task_id: str) -> intake.Found | None:
        """The task file that now holds this id."""
        with self._lock:
            return next((one for one in self._found if one.task_id == task_id and one.task), None)

    # order

    def runnable(self) -> list[str]:
        """Ids that can start now, in order; blocks and unblocks the others on the way."""
        with self._lock:
            self._wake_scheduled()
            waiting = [i for i, record in self.records.items() if record.state in WAITING]
            tasks = [self.task(task_id) for task_id in waiting]
            needed = {name for task in tasks for name in task.depends_on}
            states = {name: record.state for name in needed if (record := self.record(name))}
            done = {n for n, s in states.items() if s is State.DONE} | self._elsewhere
            lost = {n for n, s in states.items() if s.closed and s is not State.DONE}
            ages = {task_id: self.records[task_id].created_at for task_id in waiting}
            ready, blocked = order.order(tasks, done, states.keys(), failed=lost, ages=ages)
            self._mark(blocked, [task.task_id for task in ready])
            return [task.task_id for task in ready if self._wait(task.task_id) <= 0]

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

    def has_work(self) -> bool:
        """Whether anything runs, or will without a schedule or a person."""
        with self._lock:
            later = {r.task_id for r in self.records.values() if r.due_at}
            working = self.in_state(State.QUEUED, State.RUNNING)
            return any(record.task_id not in later for record in working)

    def in_state(self, *states: State) -> list[Record]:
        with self._lock:
            return [record for record in self.records.values() if record.state in states]

    def archive_when_due(self) -> None:
        """Move closed tasks into the ledger when there are many, or once a minute."""
        closed = sum(record.is_over for record in self.records.values())
        late = time.monotonic() - self._archived_at >= ARCHIVE_SECONDS
        if closed >= ARCHIVE_COUNT or (closed and late):
            self.archive()

    def archive(self) -> None:
        """Move closed tasks into the ledger."""
        with self._lock:
            self._archived_at = time.monotonic()
            moved = self.ledger.archive()
            self.records = {i: r for i, r in self.records.items() if not r.is_over}
            if moved:
                self._put_on_shelf()

    def _put_on_shelf(self) -> None:
        """Keep what was read, for the next start."""
        over = {p for p, one in self._settled.items() if one.task_id not in self.records}
        shelf.save(self.layout.shelf, self._files, over, self.ledger.tip())


def is_to_run(record: Record) -> bool:
    return record.state is State.QUEUED or (record.state.closed and bool(record.due_at))
