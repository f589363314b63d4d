"""Events as the ledger gets them, read from another process than the daemon's."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from aifactory.cli.place import Place
from aifactory.layout import TASK_REFS
from aifactory.ledger import id_of
from aifactory.model import Event, now

POLL_SECONDS = 0.3
IDLE_SHARE = 4  # times as long as the last look took: looking costs at most a fifth of a processor


class Follower:
    """Remembers what it gave; `news` gives what came since, oldest first."""

    def __init__(self, place: Place, task_id: str | None = None) -> None:
        self.place = place
        self.task_id = task_id
        self._tips: dict[str, str] = {}
        self._given: dict[str, int] = {}
        self._since = ""

    def skip(self) -> None:
        """Take everything that stands in the ledger now for given."""
        self._since = now()
        for task_id, events in self._changed():
            self._given[task_id] = len(events)

    def news(self) -> list[Event]:
        """The events since the last time that was asked, or skipped."""
        found: list[Event] = []
        for task_id, events in self._changed():
            if task_id in self._given:
                found += events[self._given[task_id] :]
            else:  # new, or taken up again after it was closed
                found += [event for event in events if event.at >= self._since]
            self._given[task_id] = len(events)
        return sorted(found, key=lambda event: (event.at, event.id))

    def _changed(self) -> Iterator[tuple[str, list[Event]]]:
        """Tasks whose ref moved since the last time; one whose ref is gone was closed."""
        refs = self.place.repository.refs(TASK_REFS)
        tips = {id_of(ref): tip for ref, tip in refs.items()}
        before, self._tips = self._tips, tips
        for task_id in sorted({**before, **tips}):
            if self.task_id in (None, task_id) and before.get(task_id) != tips.get(task_id):
                yield task_id, self.place.events_of(task_id, tips.get(task_id))


def rest(began: float, end: float = math.inf) -> None:
    """Wait until the next look, at most until `end`; the last one began at `began` (monotonic)."""
    pause = max(POLL_SECONDS, IDLE_SHARE * (time.monotonic() - began))
    time.sleep(max(0.0, min(pause, end - time.monotonic())))
