"""Task files become tasks, each content once, and no more than can be carried."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aifactory import intake, order
from aifactory.intake import Found
from aifactory.model import Pull, Record, State, Task
from aifactory.queue.refusals import Refusals
from aifactory.schedule import next_time

MOST_OPEN = 2000  # each is a ref, which every push of the user's has to list


@dataclass(eq=False)
class Admission(Refusals):
    """Takes in what lies in `tasks/`.

    `base` gives the tip of the target branch, `landed` the commit of a task that its history names.
    """

    base: Callable[[], str]
    landed: Callable[[str], str | None]
    _elsewhere: set[str] = field(default_factory=set, init=False)  # done before, say their files
    _waiting: int = field(default=0, init=False)  # good files for which there is no room

    def take_in(self) -> None:
        """Look at `tasks/` and take in what is new or mended, as far as there is room."""
        self._look()
        with self._lock:
            self._withdraw({self._name(one) for one in self._found if one.error})
            for one in self._found:
                if one.task is None:
                    self._refuse(one)
                elif one.task.closed_before:
                    self._elsewhere.add(one.task.task_id)
            self._fill([one for one in self._found if not self._is_settled(one)])

    def has_room(self) -> bool:
        """Whether a file waits that could be taken in now."""
        return self._waiting > 0 and self._room() > 0

    def _room(self) -> int:
        return MOST_OPEN - sum(not record.state.closed for record in self.records.values())

    def _fill(self, new: Iterable[Found]) -> None:
        """Take in as many as there is room for, what others need first; the rest waits."""
        good = ((one, one.task) for one in new if one.task)
        files = {task.task_id: (one, task) for one, task in good if not task.closed_before}
        room, left = self._room(), len(files)
        names = order.needed_first(task for _, task in files.values()) if left > room else files
        for task_id in names:
            if room > 0 or task_id in self.records:
                found, task = files[task_id]
                known = len(self.records)
                self._accept(found, task)
                self._settled[found.path] = found
                room, left = room - (len(self.records) - known), left - 1
        self._tell_waiting(left)

    def _tell_waiting(self, left: int) -> None:
        if left and not self._waiting:
            self.stream.emit(
                "inbox.full",
                problems=f"{MOST_OPEN} tasks are open; {left} more wait in tasks/",
                next_step="they are taken in as tasks close; nothing is lost",
            )
        self._waiting = left

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

    def _described(self, task: Task, found: Found | None) -> dict[str, Any]:
        """What a record takes over of its task."""
        return {
            "digest": found.digest if found else intake.identity(task),
            "file": found.path.name if found else "",
            "file_sha256": found.file_sha256 if found else "",
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
                pull=_again(self.record(task.task_id)),
                started_at=None,
            )


def _again(record: Record | None) -> Pull | None:
    """What is still true of a pull request when its task begins anew: what was heard of it."""
    known = record.pull if record else None
    return Pull(branch=known.branch, heard=known.heard) if known else None
