"""A caged program that is talked with: its standard streams, and the hold on it.

The program runs only while somebody waits for it: whoever holds it can look at its workspace, and
nothing in there moves. All times are of `time.monotonic`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Literal

HOLD, GO = b"h", b"g"  # to the guard, on the lifeline
HELD = b"held "  # from the guard, once nothing moves
TICK_SECONDS = 0.1


class Talk:
    """Our end of one program's streams; `Sandbox.talk` is the other, in a thread of its own.

    `source` is what the program reads. Its standard error goes to the record of the command only.
    """

    def __init__(self) -> None:
        self.source, self._sink = os.pipe()
        os.set_blocking(self._sink, False)
        self.closing, self.over = threading.Event(), threading.Event()
        self._said: SimpleQueue[bytes] = SimpleQueue()
        self._news = threading.Condition()
        self._order: Callable[[bytes], None] = lambda word: None
        self._ready, self._held, self._holds = False, 0, 0

    def send(self, data: bytes, until: float) -> None:
        """Write all of it to the program. Raises TimeoutError, BrokenPipeError."""
        if self._sink < 0:
            raise BrokenPipeError("the talk is over")
        pending = memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(self._sink, selectors.EVENT_WRITE)
            while pending:
                if time.monotonic() > until:
                    raise TimeoutError("the program does not read")
                if selector.select(TICK_SECONDS):
                    pending = pending[os.write(self._sink, pending) :]

    def receive(self, seconds: float) -> bytes | None:
        """What the program said next, b"" at its end; None: nothing for so long."""
        with contextlib.suppress(Empty):
            return self._said.get(timeout=seconds)
        return None

    def hold(self, until: float) -> None:
        """Let nothing of the program move. Raises TimeoutError."""
        with self._news:
            self._wait(lambda: self._ready, until)
            self._holds += 1
            self._order(HOLD)
            self._wait(lambda: self._held >= self._holds, until)

    def go(self) -> None:
        """Let it go on."""
        self._order(GO)

    def close(self, patience: float) -> None:
        """End the program: by the end of its input, and then by force."""
        self.go()
        if self._sink >= 0:
            os.close(self._sink)
            self._sink = -1
        self.over.wait(patience)
        self.closing.set()

    def _wait(self, done: Callable[[], bool], until: float) -> None:
        reached = self._news.wait_for(
            lambda: done() or self.over.is_set(), max(until - time.monotonic(), 0)
        )
        if not reached:
            raise TimeoutError("the program cannot be held")

    # What follows is for the cage.

    def taken(self, order: Callable[[bytes], None]) -> None:
        """The program has its end of the pipe; `order` reaches its guard."""
        self._release()
        self._order = order

    def hear(self, stream: Literal["stdout", "stderr"], data: bytes) -> None:
        if stream == "stdout" and data:
            self._said.put(data)

    def note(self, status: bytes) -> None:
        """What the guard has said so far."""
        with self._news:
            self._ready = b"ready " in status
            self._held = status.count(b"\n" + HELD)
            self._news.notify_all()

    def ended(self) -> None:
        """Nothing more comes."""
        self._release()
        self._said.put(b"")
        with self._news:
            self.over.set()
            self._news.notify_all()

    def _release(self) -> None:
        if self.source >= 0:
            os.close(self.source)
            self.source = -1
