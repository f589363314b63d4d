"""An OpenAI-style server on loopback for tests, with the faults that real providers have.

Speaks real HTTP and server-sent events; no model is behind it. The reply is chosen by the line
`TASK-ID: <id>` of the prompt.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal[
    "",
    "reset",  # the connection is reset before any answer
    "cut",  # the stream is reset half way
    "ended",  # the stream ends half way, in good order
    "malformed",  # 200, and a body that is not JSON
    "empty",  # 200, and no choices
    "hang",  # silence until the client hangs up
    "drip",  # a character every 50 ms
    "no_usage",  # a whole answer without a count of tokens
]
PIECE = 16


@dataclass(frozen=True)
class Reply:
    """One answer or one fault. Any `status` but 200 is an error with that status."""

    text: str = ""
    status: int = 200
    retry_after: str | None = None
    fault: Fault = ""
    finish_reason: str = "stop"
    prompt_tokens: int = 10
    completion_tokens: int = 5
    tool_calls: tuple[dict[str, Any], ...] = ()


@dataclass
class Seen:
    """One request as it came: what it was answered, whether all of that was sent, and whether its
    client hung up before the end."""

    task_id: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    at: float = field(default_factory=time.monotonic)
    hung_up: threading.Event = field(default_factory=threading.Event)
    reply: Reply = field(default_factory=Reply)
    answered: bool = False


class FakeProvider:
    """Serves from construction to `close`. `replies` are by task; the last of a task repeats."""

    def __init__(self, replies: Mapping[str, Sequence[Reply]]) -> None:
        self.replies = replies
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def api_base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> FakeProvider:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, seen: Seen) -> Reply:
        """Counts the request, and says what to answer."""
        with self._lock:
            turn = sum(one.task_id == seen.task_id for one in self.seen)
            self.seen.append(seen)
        replies = self.replies[seen.task_id]
        seen.reply = replies[min(turn, len(replies) - 1)]
        return seen.reply


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def _handler(provider: FakeProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            raw = self.rfile.read(length).decode()
            marker = re.search(r"TASK-ID: ([\w.-]+)", raw)
            seen = Seen(
                marker.group(1) if marker else "",
                json.loads(raw),
                {name.lower(): value for name, value in self.headers.items()},
            )
            reply = provider.take(seen)
            try:
                _answer(self, reply, seen, provider.closing)
                seen.answered = reply.status == 200 and reply.fault in ("", "no_usage")
            except OSError:
                seen.hung_up.set()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _answer(
    handler: BaseHTTPRequestHandler, reply: Reply, seen: Seen, closing: threading.Event
) -> None:
    if reply.fault == "reset":
        return _reset(handler)
    if reply.fault == "hang":
        return _hang(handler, closing)
    if reply.status != 200:
        return _send_error(handler, reply)
    handler.send_response(200)
    if reply.fault in ("malformed", "empty"):
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(b'{"choi' if reply.fault == "malformed" else b'{"choices": []}')
        return None
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    return _stream(handler, reply, closing)


def _stream(handler: BaseHTTPRequestHandler, reply: Reply, closing: threading.Event) -> None:
    events = list(_events(reply))
    for number, event in enumerate(events):
        if reply.fault in ("cut", "ended") and number >= len(events) // 2:
            return _reset(handler) if reply.fault == "cut" else None
        if reply.fault == "drip" and closing.wait(0.05):
            return None
        handler.wfile.write(f"data: {event}\n\n".encode())
        handler.wfile.flush()
    return None


def _events(reply: Reply) -> Iterator[str]:
    size = 1 if reply.fault == "drip" else PIECE
    yield _chunk({"role": "assistant", "content": ""})
    for start in range(0, len(reply.text), size):
        yield _chunk({"content": reply.text[start : start + size]})
    for index, call in enumerate(reply.tool_calls):
        yield _chunk({"tool_calls": [{"index": index, **call}]})
    yield _chunk({}, "tool_calls" if reply.tool_calls else reply.finish_reason)
    if reply.fault != "no_usage":
        yield _chunk(None, usage=reply)
    yield "[DONE]"


def _chunk(
    delta: dict[str, Any] | None, finish_reason: str | None = None, usage: Reply | None = None
) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "fake",
        "choices": [] if delta is None else [choice],
    }
    if usage is not None:
        body["usage"] = {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        }
    return json.dumps(body)


def _send_error(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    body = json.dumps({"error": {"message": reply.text or "refused", "type": "refused"}}).encode()
    handler.send_response(reply.status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    if reply.retry_after is not None:
        handler.send_header("Retry-After", reply.retry_after)
    handler.end_headers()
    handler.wfile.write(body)


def _hang(handler: BaseHTTPRequestHandler, closing: threading.Event) -> None:
    handler.connection.settimeout(0.05)
    while not closing.is_set():
        try:
            if not handler.connection.recv(1):
                raise ConnectionResetError
        except TimeoutError:
            continue


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """An abrupt end (TCP RST), not an orderly one."""
    handler.wfile.flush()
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
