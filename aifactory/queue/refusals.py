"""Task files that hold no task, or not the one that their id stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from aifactory import intake
from aifactory.errors import InvalidTask
from aifactory.intake import Found
from aifactory.model import Failure, State
from aifactory.queue.folder import Folder


@dataclass(eq=False)
class Refusals(Folder):
    """A bad file becomes a rejected task where its id is free, and is told of in any case."""

    _reported: set[tuple[Path, str]] = field(default_factory=set, init=False)

    def _withdraw(self, bad: set[str]) -> None:
        """A bad file that is gone, or good under another id, is no task any more."""
        for task_id, record in list(self.records.items()):
            at_intake = record.failure is not None and record.failure.stage == "intake"
            if record.state is State.REJECTED and at_intake and task_id not in bad:
                good = any(one.task_id == task_id for one in self._found)
                if not good:
                    self.change(task_id, "task.withdrawn")

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
            file_sha256="",
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

    def _name(self, found: Found) -> str:
        """The id of a bad file: its own where it can be read, else one made of its name."""
        return found.task_id or intake.id_of_file(found.path)
