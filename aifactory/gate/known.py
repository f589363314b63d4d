"""What commands did on trees that were judged before."""

from __future__ import annotations

import threading
import time

from aifactory.model import CommandRecord

RED_SECONDS = 300.0  # how long a red is believed: the machine may have been mended meanwhile
MOST_KEPT = 1000

_Key = tuple[str, str, tuple[str, ...]]


class Known:
    """Records by tree, command and ignored tests, while they are believed. For many threads."""

    def __init__(self) -> None:
        self._known: dict[_Key, tuple[float, CommandRecord]] = {}
        self._lock = threading.Lock()

    def find(self, tree: str, command: str, ignored: tuple[str, ...]) -> CommandRecord | None:
        with self._lock:
            at, record = self._known.get((tree, command, ignored), (0.0, None))
        if record and not record.ok and time.monotonic() - at > RED_SECONDS:
            return None
        return record

    def keep(
        self, tree: str, command: str, ignored: tuple[str, ...], record: CommandRecord
    ) -> None:
        with self._lock:
            self._known[tree, command, ignored] = (time.monotonic(), record)
            while len(self._known) > MOST_KEPT:
                del self._known[next(iter(self._known))]
