"""Waiting by the event that has to come, never by a guess of how long it takes to come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 60.0  # seconds; only what is broken takes so long, however slow the machine
STEP = 0.01


def until(condition: Callable[[], object], what: str = "it did not come") -> None:
    """Wait until the condition holds; else fail with `what`."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(STEP)


@contextmanager
def once(condition: Callable[[], object], act: Callable[[], object]) -> Iterator[None]:
    """Beside the block, `act` as soon as the condition holds; not any more after the block."""
    over = threading.Event()

    def watch() -> None:
        while not condition():
            if over.wait(STEP):
                return
        act()

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
