"""The threads of the daemon: attempts side by side, landings one by one, and the wish to stop."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

from aifactory.enduring import in_thread
from aifactory.factory import Factory

WAITING_SECONDS = 1.0  # between two looks at what waits to land
HEARTBEAT_SECONDS = 10.0
Work = Callable[[Factory, str], None]


class Workers:
    """Runs work in threads, wakes the loop when something is to be looked at."""

    def __init__(self, factory: Factory, jobs: int) -> None:
        self._factory = factory
        self._jobs = jobs
        self._running: dict[str, tuple[threading.Thread, threading.Event]] = {}
        self._landing: threading.Thread | None = None
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
        return frozenset(self._running)

    @property
    def landing(self) -> bool:
        """Whether something lands."""
        self._reap()
        return self._landing is not None

    @property
    def idle(self) -> bool:
        return not self.busy and not self.landing

    def start(self, task_id: str, work: Work, stop: threading.Event | None = None) -> None:
        """Begin work on a task, unless some is under way; `stop` interrupts it."""
        if task_id not in self.busy:
            stop = stop or self._factory.stop_of(task_id)
            self._running[task_id] = self._thread(task_id, work), stop

    def land(self, step: Callable[[], None]) -> None:
        """Take a step of landing, unless one is under way."""
        if not self.landing and not self.stopping:
            self._landing = self._thread("", lambda factory, task_id: step())

    def _thread(self, task_id: str, work: Work) -> threading.Thread:
        def run() -> None:
            try:
                with in_thread(self._factory, task_id):
                    work(self._factory, task_id)
            finally:
                self.wake()

        thread = threading.Thread(target=run, name=task_id or "landing")
        thread.start()
        return thread

    def _reap(self) -> None:
        alive = {i: one for i, one in self._running.items() if one[0].is_alive()}
        self._running = alive
        if self._landing and not self._landing.is_alive():
            self._landing = None

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
        for _, stop in self._running.values():
            stop.set()
        for thread in [*(one for one, _ in self._running.values()), self._landing]:
            if thread:
                thread.join()
        self._reap()
