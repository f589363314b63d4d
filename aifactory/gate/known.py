"""What commands did on trees that were judged before."""

from __future__ import annotations

import threading
import time

from aifactory.model import CommandRecord

RED_SECONDS = 300.0  # how long a red is believed: the machine may have been mended meanwhile
MOST_KEPT = 1000


class Known:
    """Records by tree and command, for as long as they are believed. Safe to use from threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[float, CommandRecord]] = {}
        self._lock = threading.Lock()

    def find(self, tree: str, command: str) -> CommandRecord | None:
        with self._lock:
            at, record = self._known.get((tree, command), (0.0, None))
        if record and not record.ok and time.monotonic() - at > RED_SECONDS:
            return None
        return record

    def keep(self, tree: str, command: str, record: CommandRecord) -> None:
        with self._lock:
            self._known[tree, command] = (time.monotonic(), record)
            while len(self._known) > MOST_KEPT:
                del self._known[next(iter(self._known))]
