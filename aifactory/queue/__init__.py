"""What is to be done: task files in, tasks in order out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from aifactory import schema
from aifactory.queue.agenda import Agenda

ARCHIVE_COUNT = 100
ARCHIVE_SECONDS = 60.0


@dataclass(eq=False)
class Queue(Agenda):
    """The open tasks of one daemon, from their files to the ledger."""

    _archived_at: float = field(default_factory=time.monotonic, init=False)

    def load(self) -> None:
        """Read the open tasks of earlier runs, and make ready to read task files at once."""
        schema.check({}, "task")
        with self._lock:
            self.records = self.ledger.load()
            self._take_from_shelf()

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
