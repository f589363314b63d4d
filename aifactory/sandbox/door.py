"""A socket that is bound into a cage, and who answers there: few at once, cut at the end."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from aifactory import beneath

CUT_SECONDS = 2.0


class Door(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A server with a thread for each connection, `most` of them at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, place: Path, handler: type[socketserver.BaseRequestHandler], most: int
    ) -> None:
        self._room = threading.BoundedSemaphore(most)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(str(place), handler)

    def overflowed(self) -> None:
        """Somebody came while as many were served as can be, and was sent away."""

    def verify_request(self, request: object, client_address: object) -> bool:
        if self._room.acquire(blocking=False):
            return True
        self.overflowed()
        return False

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]  # as they came
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news; whatever it was, its handler has told it."""

    @contextlib.contextmanager
    def held(self, connection: socket.socket) -> Iterator[None]:
        """Known as open meanwhile, so that `cut` finds it."""
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)

    def cut(self) -> None:
        """End what is still open, and wait for it to end, but not for long."""
        until = time.monotonic() + CUT_SECONDS
        while self._open and time.monotonic() < until:
            with self._lock:
                for connection in self._open:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
            time.sleep(0.01)


Some = TypeVar("Some", bound=Door)


@contextlib.contextmanager
def opened(
    make: Callable[[Path], Some], place: Path, owner: tuple[int, int] | None = None
) -> Iterator[Some]:
    """Serve at the socket `place` until the end of the block, then cut what is still open.

    `make` is given the path to bind to. Only `owner` (default: our user) may connect.
    """
    place.unlink(missing_ok=True)
    with beneath.opened(place.parent) as folder:  # a socket's own path may not be long
        door = make(beneath.pinned(folder) / place.name)
    with door:
        place.chmod(0o600)
        if owner:
            os.chown(place, *owner)
        thread = threading.Thread(target=door.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield door
        finally:
            door.shutdown()
            thread.join()
            door.cut()
            place.unlink(missing_ok=True)
