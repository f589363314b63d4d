"""Task files become tasks, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aifactory import intake, shelf
from aifactory.errors import InvalidTask
from aifactory.intake import Found, Over
from aifactory.layout import Layout
from aifactory.model import Failure, State, Task
from aifactory.queue.book import Book
from aifactory.schedule import next_time

MANY = 100  # task files that are new here


@dataclass(eq=False)
class Admission(Book):
    """Takes in what lies in `tasks/`, each content once.

    `base` gives the tip of the target branch, `landed` the commit of a task that its history names.
    """

    layout: Layout
    base: Callable[[], str]
    landed: Callable[[str], str | None]
    _files: dict[Path, Found] = field(default_factory=dict, init=False)
    _settled: dict[Path, Found] = field(default_factory=dict, init=False)  # looked at as they are
    _over: Over = field(default_factory=dict, init=False)
    _found: list[Found] = field(default_factory=list, init=False)
    _reported: set[tuple[Path, str]] = field(default_factory=set, init=False)
    _elsewhere: set[str] = field(default_factory=set, init=False)  # done before, say their files

    def take_in(self) -> None:
        """Look at `tasks/` and take in what is new or mended."""
        found = intake.scan(self.layout.tasks, self._files, self._over)
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

    def _settle_many(self, found: Sequence[Found]) -> None:
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

    def _take_from_shelf(self) -> None:
        """Remember what an earlier run read."""
        place, tasks = self.layout.shelf, self.layout.tasks
        self._files, self._over = shelf.load(place, tasks, self.ledger.goes_on_from)

    def _put_on_shelf(self) -> None:
        """Look no more at the files of closed tasks; keep what was read, for the next start."""
        over = {
            name: self._over[name] for name in intake.names(self.layout.tasks) if name in self._over
        }
        for path, one in list(self._settled.items()):
            if one.task_id and one.stamp and one.task_id not in self.records:
                over[path.name] = one.stamp, one.task_id
                del self._settled[path]
                self._files.pop(path, None)
        self._over = over
        shelf.save(self.layout.shelf, self._files.values(), over, self.ledger.tip())

    def _name(self, found: Found) -> str:
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

    def _accept(self, found: Found, task: Task) -> None:
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
        commit = None if known or task.schedule else self.landed(task.task_id)
        if commit:
            self._remember(task, found, commit)
        else:
            self.put(task, found)

    def _remember(self, task: Task, found: Found, commit: str) -> None:
        """Take in as done what the target's history holds already."""
        again = f"`aifactory retry {task.task_id}` runs it again"
        reason = f"the history of the target holds it already; {again}"
        self.change(
            task.task_id,
            "task.landed",
            data={"file": found.path.name, "commit": commit, "reason": reason},
            artifacts={"task.json": task.model_dump_json(indent=1).encode() + b"\n"},
            **self._described(task, found),
            commit=commit,
            reason=reason,
        )

    def _refuse(self, found: Found) -> None:
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

    def _report(self, found: Found, message: str) -> None:
        if (found.path, found.digest) not in self._reported:
            self._reported.add((found.path, found.digest))
            self.stream.emit("file.refused", file=found.path.name, problems=message)

    def file_of(self, task_id: str) -> Found | None:
        """The task file that now holds this id."""
        with self._lock:
            over = (name for name, (_, owner) in self._over.items() if owner == task_id)
            again = (intake.look(self.layout.tasks / name) for name in over)
            good = (one for one in (*self._found, *again) if one and one.task)
            return next((one for one in good if one.task_id == task_id), None)

    def _described(self, task: Task, found: Found | None) -> dict[str, Any]:
        """What a record takes over of its task."""
        return {
            "digest": found.digest if found else intake.identity(task),
            "file": found.path.name if found else "",
            "title": task.title or task.description.strip().splitlines()[0][:100],
            "agent": task.assignee or "",
            "priority": task.priority,
            "depends_on": task.depends_on,
            "schedule": task.schedule or "",
            "base": self.base(),
        }

    def put(self, task: Task, found: Found | None, event: str = "task.accepted") -> None:
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
