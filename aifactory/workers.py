"""The threads of the daemon: attempts side by side, landings one by one, and the wish to stop."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

from aifactory.enduring import in_thread
from aifactory.factory import Factory

WAITING_SECONDS = 1.0  # between two tries to land what waits for the user's files
HEARTBEAT_SECONDS = 10.0
Work = Callable[[Factory, str], None]


class Workers:
    """Runs work in threads, wakes the loop when something is to be looked at."""

    def __init__(self, factory: Factory, jobs: int) -> None:
        self._factory = factory
        self._jobs = jobs
        self._running: dict[str, threading.Thread] = {}
        self._landing: dict[str, threading.Thread] = {}
        self._tried: dict[str, float] = {}
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._handlers: dict[int, object] = {}
        self.stopping = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *raised: object) -> None:
        self.finish()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave us

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            os._exit(130)  # twice means now: a crash, which the next start recovers from
        self.stopping = True
        self.wake()

    def wake(self) -> None:
        self._bell.put(None)

    @property
    def free(self) -> bool:
        return not self.stopping and len(self._running) < self._jobs

    @property
    def busy(self) -> frozenset[str]:
        """The tasks that something runs for."""
        self._reap()
        return frozenset([*self._running, *self._landing])

    @property
    def idle(self) -> bool:
        self._reap()
        return not self._running and not self._landing

    def start(self, task_id: str, work: Work) -> None:
        """Begin an attempt, unless one at this task is under way."""
        if task_id not in self._running:
            self._running[task_id] = self._thread(task_id, work)

    def land(self, task_id: str, work: Work) -> None:
        """Land a task when no other landing goes on and its last try is a moment ago."""
        self._reap()
        last = self._tried.get(task_id, float("-inf"))
        busy = self._landing or task_id in self._running
        if self.stopping or busy or time.monotonic() - last < WAITING_SECONDS:
            return
        self._landing[task_id] = self._thread(task_id, work)

    def _thread(self, task_id: str, work: Work) -> threading.Thread:
        def run() -> None:
            try:
                with in_thread(self._factory, task_id):
                    work(self._factory, task_id)
            finally:
                self.wake()

        thread = threading.Thread(target=run, name=f"{work.__name__} {task_id}")
        thread.start()
        return thread

    def _reap(self) -> None:
        for threads in (self._running, self._landing):
            for task_id, thread in list(threads.items()):
                if not thread.is_alive():
                    del threads[task_id]
                    if threads is self._landing:
                        self._tried[task_id] = time.monotonic()

    def wait(self, due: float | None) -> None:
        """Sleep until something happens, at most until a delayed task is due."""
        waits = [HEARTBEAT_SECONDS if due is None else min(due, HEARTBEAT_SECONDS)]
        if self._factory.lands_later() or self._factory.trouble:
            waits.append(WAITING_SECONDS)
        try:
            self._bell.get(timeout=max(0.0, min(waits)))
            while not self._bell.empty():
                self._bell.get()
        except queue.Empty:
            pass
        self._reap()

    def finish(self) -> None:
        """Interrupt what runs, and wait until it has put itself back."""
        for task_id in list(self._running):
            self._factory.stop_of(task_id).set()
        for thread in [*self._running.values(), *self._landing.values()]:
            thread.join()
        self._reap()
