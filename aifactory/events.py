"""The one stream of events. The ledger, the log, the live view and the report read it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aifactory.model import Event, now
from aifactory.redaction import masked_data

Reader = Callable[[Event], None]


def new_run_id() -> str:
    """A name for one start of the daemon: sortable by time, never the same twice."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S") + "-" + secrets.token_hex(4)


class Stream:
    """Gives every event to every reader, in one order for all of them, without our secrets."""

    def __init__(self, run: str | None = None) -> None:
        self.run = run or new_run_id()
        self._readers: list[Reader] = []
        self._count = 0
        self._lock = threading.RLock()

    def subscribe(self, reader: Reader) -> None:
        with self._lock:
            self._readers.append(reader)

    def emit(
        self, name: str, task: str | None = None, attempt: int | None = None, **data: Any
    ) -> Event:
        with self._lock:
            self._count += 1
            event = Event(
                id=f"{self.run}-{self._count:06d}",
                at=now(),
                run=self.run,
                task=task,
                attempt=attempt,
                name=name,
                data=masked_data(data),
            )
            for reader in self._readers:
                reader(event)
            return event
