"""One server at the other end of a Talk: it is greeted, asked for its tools, and called.

It stands still but for the time of a request. Whatever is not as the protocol has it ends the talk:
ServerBroken says what it was.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aifactory import __version__
from aifactory.errors import AnswerUnusable, Interrupted, PreconditionFailed
from aifactory.mcp.messages import Lines, Message, NotAMessage, line_of, parse, plain
from aifactory.sandbox import Talk

# Those that begin with a handshake; the newest is what we ask for.
VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
MOST_MESSAGES = 10_000  # that a server may send while it is asked one thing
MOST_PAGES, MOST_TOOLS = 100, 1000
POLL_SECONDS, HOLD_SECONDS, CLOSE_SECONDS = 0.2, 20.0, 1.0
NO_SUCH_METHOD = -32601
CHANGED = "notifications/tools/list_changed"


class ServerBroken(PreconditionFailed):
    """An MCP server does not start, or does not keep to the protocol."""

    remedy = "mend the server or its entry in [mcp.servers]; `aifactory doctor` says what starts"


class ToolRefused(AnswerUnusable):
    """A server answered that it does not do what it was asked."""


@dataclass(frozen=True)
class Patience:
    """How long one request may take, in seconds, and what ends all waiting."""

    seconds: float
    stop: threading.Event | None = None


class Client:
    def __init__(self, name: str, talk: Talk, patience: Patience) -> None:
        self.name = name
        self.changed = False  # whether the server said that its tools are others now
        self._talk, self.patience = talk, patience
        self._lines = Lines()
        self._came: deque[bytes] = deque()
        self._number = 0

    def greet(self) -> None:
        """Shake hands. Raises ServerBroken, Interrupted."""
        with self._broken():
            about = {"name": "aifactory", "version": __version__}
            wanted = {"protocolVersion": VERSIONS[0], "capabilities": {}, "clientInfo": about}
            version = self._asked("initialize", wanted).get("protocolVersion")
            if version not in VERSIONS:
                raise NotAMessage(f"protocol version {version!r}; known: {', '.join(VERSIONS)}")
            self._send({"method": "notifications/initialized"}, self._until())
            self._talk.hold(time.monotonic() + HOLD_SECONDS)

    def tools(self) -> list[dict[str, Any]]:
        """All that the server offers, as it says it. Raises ServerBroken, Interrupted."""
        found: list[dict[str, Any]] = []
        self.changed = False
        with self._awake():
            cursor: str | None = None
            for _ in range(MOST_PAGES):
                params = {"cursor": cursor} if cursor else {}
                page = self._asked("tools/list", params)
                tools, cursor = page.get("tools"), page.get("nextCursor")
                if not isinstance(tools, list) or not all(isinstance(one, dict) for one in tools):
                    raise NotAMessage("a list of tools that is none")
                found += tools
                if len(found) > MOST_TOOLS:
                    raise NotAMessage(f"more than {MOST_TOOLS} tools")
                if not cursor:
                    return found
            raise NotAMessage(f"a list of tools of more than {MOST_PAGES} pages")

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The result of one tool. Raises ToolRefused, ServerBroken, Interrupted."""
        with self._awake():
            return self._asked("tools/call", {"name": tool, "arguments": arguments})

    @contextmanager
    def _awake(self) -> Iterator[None]:
        """The server runs meanwhile, and stands still afterwards."""
        with self._broken():
            self._talk.go()
            try:
                yield
            except ToolRefused:
                self._talk.hold(time.monotonic() + HOLD_SECONDS)
                raise
            self._talk.hold(time.monotonic() + HOLD_SECONDS)

    @contextmanager
    def _broken(self) -> Iterator[None]:
        """What goes wrong in the block ends the server, and is told with its name."""
        try:
            yield
        except (NotAMessage, OSError) as error:  # a timeout and a broken pipe are OSErrors
            self._talk.close(0)
            said = f"it sent {error}" if isinstance(error, NotAMessage) else str(error)
            raise ServerBroken(f"the MCP server {self.name} is broken: {plain(said)}") from error

    def _until(self) -> float:
        return time.monotonic() + self.patience.seconds

    def _asked(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        until = self._until()
        self._send({"id": self._number, "method": method, "params": params}, until)
        for _ in range(MOST_MESSAGES):
            message = self._next(method, until)
            if "method" in message:
                self._hear(message, until)
            elif message["id"] != self._number or isinstance(message["id"], bool):
                raise NotAMessage(f"an answer to what was not asked: {message['id']!r:.100}")
            else:
                return self._result(method, message)
        raise NotAMessage(f"more than {MOST_MESSAGES} messages before an answer to {method}")

    def _result(self, method: str, message: Message) -> dict[str, Any]:
        if "error" in message:
            error = message["error"] if isinstance(message["error"], dict) else {}
            said = plain(str(error.get("message", "no reason given")))[:2000]
            if method != "tools/call":
                raise NotAMessage(f"an error in answer to {method}: {said}")
            raise ToolRefused(f"the MCP server {self.name} refuses the call: {said}")
        if not isinstance(message["result"], dict):
            raise NotAMessage(f"a result of {method} that is no object")
        return message["result"]

    def _hear(self, message: Message, until: float) -> None:
        """What a server says or wants by itself. All it gets is an answer to `ping`."""
        self.changed |= message["method"] == CHANGED
        if "id" not in message:
            return
        if message["method"] == "ping":
            self._send({"id": message["id"], "result": {}}, until)
            return
        why = f"{plain(message['method'])[:100]} is refused: this client only calls tools"
        self._send({"id": message["id"], "error": {"code": NO_SUCH_METHOD, "message": why}}, until)

    def _send(self, message: Message, until: float) -> None:
        self._talk.send(line_of(message), until)

    def _next(self, method: str, until: float) -> Message:
        while not self._came:
            stop = self.patience.stop
            if stop is not None and stop.is_set():
                raise Interrupted(f"the MCP server {self.name} was stopped")
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer to {method} within {self.patience.seconds:g} s")
            data = self._talk.receive(min(left, POLL_SECONDS))
            if data == b"":
                raise BrokenPipeError(f"it ended before it answered {method}")
            self._came.extend(self._lines.add(data or b""))
        return parse(self._came.popleft())
