"""The pull requests of the tasks that land by one: which is to be looked at when.

A forge that is down, slow or refuses is waited for; no task fails by it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

from aifactory import delivery, reception, submission, withdrawal
from aifactory.errors import ForgeDown, ForgeFailed
from aifactory.factory import Factory
from aifactory.model import Record, State

REQUESTS_SECONDS = 4.0  # between looks for each one that is open: GitHub takes 5,000 an hour
MOST_DOWN_SECONDS = 300.0


class Pulls:
    """Steps of different tasks may run side by side; `only` looks at no other task."""

    def __init__(self, factory: Factory, only: Collection[str] = ()) -> None:
        self._factory = factory
        self._only = frozenset(only)
        self._next: dict[str, float] = {}  # task -> when it is looked at again
        self._down_until = 0.0
        self._down_seconds = 0.0
        self._merging = threading.Lock()

    def due(self) -> list[str]:
        """The tasks that a step is to be taken for now, in the order of landing."""
        now = time.monotonic()
        if now < self._down_until:
            return []
        found = sorted(self._open(), key=lambda r: (r.priority, r.created_at, r.task_id))
        return [one.task_id for one in found if self._next.get(one.task_id, 0.0) <= now]

    def next_due(self) -> float | None:
        """Seconds until the next step, or None where no pull request is on its way."""
        waits = [self._next.get(one.task_id, 0.0) for one in self._open()]
        if not waits:
            return None
        return max(0.0, max(min(waits), self._down_until) - time.monotonic())

    def has_unseen(self) -> bool:
        """Whether one was not looked at in this run, or not since it went on its way.

        While nobody answers, none can be.
        """
        if time.monotonic() < self._down_until:
            return False
        return any(one.task_id not in self._next for one in self._open())

    def step(self, factory: Factory, task_id: str) -> None:
        """Bring one on by what the forge allows."""
        record = factory.queue.records[task_id]
        before = record.in_review
        try:
            forge = factory.forge()
            number = record.pull.number if record.pull else None
            if record.is_leaving:
                withdrawal.withdraw(factory, forge, task_id)
            elif before:
                with self._merging:
                    reception.look(factory, forge, task_id)
            elif number is None or not reception.over(factory, record, forge.pull(number)):
                submission.submit(factory, forge, task_id)
            self._down_seconds = 0.0
        except ForgeFailed as error:
            self._wait(task_id, error)
        self._plan(task_id, before)

    def _open(self) -> list[Record]:
        found = self._factory.queue.in_state(State.READY, State.CANCELLED)
        wanted = [one for one in found if not self._only or one.task_id in self._only]
        return [one for one in wanted if one.is_leaving or self._is_to_land(one)]

    def _is_to_land(self, record: Record) -> bool:
        return record.state is State.READY and delivery.by_pull(self._factory, record.task_id)

    def _plan(self, task_id: str, before: bool) -> None:
        """Look again after a while; at once where the task went on its way."""
        record = self._factory.queue.record(task_id)
        still = record and record.state is State.READY and record.in_review == before
        if still or (record and record.is_leaving):
            seconds = self._factory.config.forge.poll_seconds
            pace = max(seconds, min(REQUESTS_SECONDS * len(self._open()), 10 * seconds))
            self._next[task_id] = time.monotonic() + pace
        else:
            self._next.pop(task_id, None)

    def _wait(self, task_id: str, error: ForgeFailed) -> None:
        if isinstance(error, ForgeDown):
            poll = self._factory.config.forge.poll_seconds
            self._down_seconds = min(max(poll, 2 * self._down_seconds), MOST_DOWN_SECONDS)
            seconds = max(self._down_seconds, error.retry_after or 0.0)
            self._down_until = time.monotonic() + seconds
        said = f"{error.message}; {error.next_step}" if error.next_step else error.message
        for record in self._open():
            unasked = isinstance(error, ForgeDown) and not record.reason
            if record.task_id == task_id or unasked:
                delivery.wait(self._factory, record.task_id, said)
