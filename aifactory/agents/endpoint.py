"""Where a program in a cage asks a model: HTTP on a socket that is bound into the cage.

It speaks the dialects of `dialects`, and nothing else: what comes of a question is for whoever
opened it. While it waits for an answer, a program that reads events is sent what it passes over.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from urllib.parse import urlsplit

from aifactory.agents.dialects import (
    MODEL,
    Asked,
    Chat,
    Dialect,
    NotUnderstood,
    Said,
    counted,
    sendable,
    spoken,
)
from aifactory.errors import AifactoryError
from aifactory.sandbox import Door, opened

MOST_AT_ONCE = 16
MOST_BYTES = 32 << 20  # of one request
READ_SECONDS, WAIT_SECONDS = 30.0, 5.0
MODELS = {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": MODEL}]}
Some = TypeVar("Some")


@dataclass(frozen=True)
class Desk:
    """Who answers, from threads of the endpoint's own.

    `answer` is given a question and the way to see whether its program waits no more; it raises
    the AifactoryError that ends the attempt. `aside` hears of a request that is none for a model.
    """

    answer: Callable[[Asked, Callable[[], bool]], Said]
    aside: Callable[[str], None]


@contextlib.contextmanager
def serve(place: Path, desk: Desk, owner: tuple[int, int] | None) -> Iterator[None]:
    """Serve at the socket `place` until the end of the block."""
    with opened(partial(_Server, desk=desk), place, owner):
        yield


class _Server(Door):
    def __init__(self, place: Path, desk: Desk) -> None:
        self.desk = desk
        super().__init__(place, _Handler, MOST_AT_ONCE)

    def overflowed(self) -> None:
        self.desk.aside(f"more than {MOST_AT_ONCE} at once")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = READ_SECONDS

    def handle(self) -> None:
        with self.server.held(self.connection):
            self.handle_one_request()

    def log_message(self, *_: Any) -> None:
        """The attempt records what was asked."""

    def do_CONNECT(self) -> None:
        self._refuse(403, "there is no network here, only a model")

    def do_GET(self) -> None:
        if urlsplit(self.path).path.rstrip("/").endswith("/models"):
            self.server.desk.aside("which models there are")
            return self._send(200, MODELS)
        return self._refuse(404, f"there is no {self.path}")

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        count, dialect = counted(path), spoken(path)
        try:
            data = self._body()  # what is left unread would take the answer along
            if count:
                self.server.desk.aside("how many tokens there are")
                return self._send(200, _made(count.tokens, data))
            if dialect is None:
                return self._refuse(404, f"there is no {self.path}")
            asked = _read(dialect, data)
        except NotUnderstood as error:
            return self._refuse(400, error.message, dialect)
        return self._stream(dialect, asked) if asked.stream else self._whole(dialect, asked)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            raise NotUnderstood(f"a body of {length or 'unknown'} bytes, {MOST_BYTES} at most")
        return self.rfile.read(int(length))

    def _whole(self, dialect: Dialect, asked: Asked) -> None:
        try:
            said = self.server.desk.answer(asked, self._gone)
        except AifactoryError as error:
            return self._send(400, dialect.error(400, error.message))
        return self._send(200, dialect.whole(said))

    def _stream(self, dialect: Dialect, asked: Asked) -> None:
        """The head at once, then a sign of life until there is an answer: a program may be
        impatient."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        came: SimpleQueue[Said | None] = SimpleQueue()
        threading.Thread(target=self._ask, args=(asked, came), daemon=True).start()
        said = self._awaited(came, dialect.wait.encode())
        for name, data in dialect.events(said) if said else ():
            head = f"event: {name}\n" if name else ""
            self.wfile.write(f"{head}data: {data}\n\n".encode())

    def _ask(self, asked: Asked, came: SimpleQueue[Said | None]) -> None:
        try:
            came.put(self.server.desk.answer(asked, self._gone))
        except AifactoryError:
            came.put(None)  # the stream ends here, and so does the program

    def _awaited(self, came: SimpleQueue[Said | None], sign: bytes) -> Said | None:
        while True:
            with contextlib.suppress(Empty):
                return came.get(timeout=WAIT_SECONDS)
            with contextlib.suppress(OSError):  # one that has gone is noticed at the end
                self.wfile.write(sign)

    def _gone(self) -> bool:
        """Whether the program hung up: it will not read an answer."""
        came, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(came) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _refuse(self, status: int, why: str, dialect: Dialect | None = None) -> None:
        self.server.desk.aside(why)
        with contextlib.suppress(OSError):
            self._send(status, (dialect or Chat()).error(status, why))

    def _send(self, status: int, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)


def _read(dialect: Dialect, data: bytes) -> Asked:
    asked = _made(dialect.read, data)
    return replace(asked, messages=sendable(asked.messages))


def _made(make: Callable[[Any], Some], data: bytes) -> Some:
    """What is made of the value that a request brings. Raises NotUnderstood."""
    try:
        return make(json.loads(data))
    except NotUnderstood:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        said = f"{type(error).__name__}: {error}"
        raise NotUnderstood(f"no request for a model: {said}"[:500]) from error
