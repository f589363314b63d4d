"""The task files, as they were last looked at."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from aifactory import intake, shelf
from aifactory.intake import Found, Over
from aifactory.layout import Layout
from aifactory.model import Payment, State
from aifactory.queue.book import Book

MANY = 100  # task files that are new here


class Closed(BaseModel):
    """As much of a closed task's record as a start asks for: its files, and what was paid."""

    task_id: str
    state: State
    digest: str = ""
    file_sha256: str = ""
    payments: tuple[Payment, ...] = ()


@dataclass(eq=False)
class Folder(Book):
    """What lies in `tasks/`. What did not change is not read again, by the next start neither."""

    layout: Layout
    _files: dict[Path, Found] = field(default_factory=dict, init=False)
    _settled: dict[Path, Found] = field(default_factory=dict, init=False)  # looked at as they are
    _over: Over = field(default_factory=dict, init=False)
    _names: set[str] = field(default_factory=set, init=False)  # that were there at the last look
    _found: list[Found] = field(default_factory=list, init=False)
    _known: list[Closed] | None = field(default=None, init=False)  # until the next look

    def _look(self) -> None:
        """See what is there now; where many files are new, ask for all closed tasks at once."""
        tasks = self.layout.tasks
        names = set(intake.names(tasks))
        new = names - self._names
        closed = self._digests() if len(new) >= MANY else {}
        self._known = None
        accepted = {file: task_id for task_id, (_, file) in closed.items() if file}
        over: Over = {**self._over, **(intake.recognised(tasks, new, accepted) if accepted else {})}
        found, over = self._scan(over)
        with self._lock:
            self._names, self._over, self._found = names, over, found
            self._files = {one.path: one for one in found if one.stamp}
            if closed:
                self._settle({(task_id, digest) for task_id, (digest, _) in closed.items()})

    def _scan(self, over: Over) -> tuple[list[Found], Over]:
        """The files that are not `over`; an id that stands in one of them, too, is not over yet."""
        found = intake.scan(self.layout.tasks, self._files, over)
        named = {one.task_id for one in found}
        left = {name: known for name, known in over.items() if known[1] not in named}
        if len(left) < len(over):
            found = intake.scan(self.layout.tasks, self._files, left)
        return found, left

    def closed(self) -> list[Closed]:
        """Every task of the ledger, read at once; the next look at the files needs them, too."""
        self._known = [*map(Closed.model_validate_json, self.ledger.reports())]
        return self._known

    def _digests(self) -> dict[str, tuple[str, str]]:
        """The digests of task and file of every closed task, by its id.

        Not of one that is open again, or rejected: another file of its id may be taken in.
        """
        return {
            one.task_id: (one.digest, one.file_sha256)
            for one in (self.closed() if self._known is None else self._known)
            if one.task_id not in self.records and one.state is not State.REJECTED
        }

    def _settle(self, closed: Container[tuple[str | None, str]]) -> None:
        """Look no more at the files of `closed` tasks, known by id and digest."""
        for one in self._found:
            ours = one.task is not None and not one.task.closed_before
            if ours and (one.task_id, one.digest) in closed:
                self._settled[one.path] = one
        self._put_on_shelf()
        self._found = [one for one in self._found if one.path.name not in self._over]

    def _is_settled(self, found: Found) -> bool:
        return self._settled.get(found.path) is found

    def file_of(self, task_id: str) -> Found | None:
        """The task file that now holds this id."""
        with self._lock:
            over = (name for name, (_, owner) in self._over.items() if owner == task_id)
            again = (intake.look(self.layout.tasks / name) for name in over)
            good = (one for one in (*self._found, *again) if one and one.task)
            return next((one for one in good if one.task_id == task_id), None)

    def _take_from_shelf(self) -> None:
        """Remember what an earlier run read."""
        place, tasks = self.layout.shelf, self.layout.tasks
        self._files, self._over = shelf.load(place, tasks, self.ledger.goes_on_from)
        self._names = {path.name for path in self._files} | self._over.keys()

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
