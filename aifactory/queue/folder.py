"""The task files, as they were last looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aifactory import intake, shelf
from aifactory.intake import Found, Over
from aifactory.layout import Layout
from aifactory.queue.book import Book

MANY = 100  # task files that are new here


@dataclass(eq=False)
class Folder(Book):
    """What lies in `tasks/`. What did not change is not read again, by the next start neither."""

    layout: Layout
    _files: dict[Path, Found] = field(default_factory=dict, init=False)
    _settled: dict[Path, Found] = field(default_factory=dict, init=False)  # looked at as they are
    _over: Over = field(default_factory=dict, init=False)
    _found: list[Found] = field(default_factory=list, init=False)

    def _look(self) -> None:
        """See what is there now."""
        found = intake.scan(self.layout.tasks, self._files, self._over)
        with self._lock:
            self._found = found
            self._files = {one.path: one for one in found if one.stamp}
            self._settle_many(found)

    def _is_settled(self, found: Found) -> bool:
        return self._settled.get(found.path) is found

    def file_of(self, task_id: str) -> Found | None:
        """The task file that now holds this id."""
        with self._lock:
            over = (name for name, (_, owner) in self._over.items() if owner == task_id)
            again = (intake.look(self.layout.tasks / name) for name in over)
            good = (one for one in (*self._found, *again) if one and one.task)
            return next((one for one in good if one.task_id == task_id), None)

    def _settle_many(self, found: Sequence[Found]) -> None:
        """Where many files are new here, ask for all closed tasks at once and not for each."""
        good = [one for one in found if one.task and one.task_id not in self.records]
        new = [one for one in good if not self._is_settled(one)]
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
