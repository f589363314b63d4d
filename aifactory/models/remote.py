"""Calls through the model host, cut for real: by the host, else by ending the host."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from aifactory.errors import (
    Cancelled,
    CredentialsMissing,
    EnvironmentUnusable,
    Interrupted,
    ModelFailed,
    ModelPermanent,
    ModelTransient,
    ModelUnknown,
)
from aifactory.model import Answer, Usage
from aifactory.models.process import POLL_SECONDS, HostProcess, Message, receive
from aifactory.models.request import OPEN, Line, Request, is_loopback

START_SECONDS = 180.0
GRACE_SECONDS = 5.0
CHECK_SECONDS = 10.0


class Remote:
    """Every model that LiteLLM knows, and any OpenAI-compatible server by `api_base`."""

    def __init__(self, environment: Mapping[str, str], *, grace: float = GRACE_SECONDS) -> None:
        """`grace`: seconds that the host has to cut a call before it is ended itself."""
        self._environment = dict(environment)
        self._grace = grace
        self._closed = False
        self._starting = threading.Lock()
        self._host: HostProcess | None = None

    def warm(self) -> HostProcess:
        """Starts the host if none runs, and does not wait for it."""
        with self._starting:
            if self._closed:
                raise Interrupted("the daemon stops, no more calls are made")
            if self._host is None or self._host.gone.is_set():
                self._host = HostProcess(self._environment)
            return self._host

    def close(self) -> None:
        with self._starting:
            self._closed = True
            if self._host is not None:
                self._host.close()

    @property
    def is_ready(self) -> bool:
        """Whether a call would be sent at once."""
        host = self._host
        return host is not None and host.ready.is_set() and not host.gone.is_set()

    def prepare(self, line: Line = OPEN) -> None:
        """Waits until the host has imported LiteLLM."""
        self._ready_host(line.stop)

    def complete(self, request: Request, line: Line = OPEN) -> Answer:
        message = {"op": "call", "id": request.call_id, "request": _wire(request)}
        last = self._ask(message, request.seconds, line)
        return _outcome(last, request.model)

    def check(self, model: str, api_base: str | None) -> None:
        """Raises what makes every call of the model fail; sends nothing to a provider."""
        if api_base is not None:
            reach(api_base)
        request = {"model": model, "api_base": api_base}
        message = {"op": "check", "id": f"check-{time.monotonic_ns()}", "request": request}
        last = self._ask(message, CHECK_SECONDS, OPEN)
        if last["event"] != "answer":
            _outcome(last, model)

    def _ask(self, message: Message, seconds: float, line: Line) -> Message:
        """Sends to the host and follows until the last word; cuts what stops or takes too long."""
        host = self._ready_host(line.stop)
        inbox = host.open(message["id"])
        try:
            host.send(message)
            last = _follow(inbox, time.monotonic() + seconds + self._grace, line)
            if last is None:
                host.send({"op": "cancel", "id": message["id"]})
                last = _follow(inbox, time.monotonic() + self._grace, OPEN)
            if last is None:
                host.kill()
                last = {"event": "cancelled" if line.stop.is_set() else "silent"}
        finally:
            host.forget(message["id"])
        return {**last, "last_words": host.last_words} if last["event"] == "gone" else last

    def _ready_host(self, stop: threading.Event) -> HostProcess:
        while True:
            host = self.warm()
            _await_ready(host, stop)
            if not host.gone.is_set():
                return host
            if not host.served:
                raise EnvironmentUnusable(
                    "the model host did not start",
                    next_step="check that LiteLLM is whole: python -c 'import litellm'",
                    evidence=host.last_words,
                )


def _await_ready(host: HostProcess, stop: threading.Event) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not host.ready.wait(POLL_SECONDS):
        if stop.is_set():
            raise Cancelled("the call was cancelled before it was sent")
        if time.monotonic() > deadline:
            host.kill()


def reach(api_base: str) -> None:
    """Raises ModelTransient when nobody listens there. Not asked where a proxy stands between."""
    url = urlsplit(api_base)
    if urllib.request.getproxies().get(url.scheme) and not is_loopback(api_base):
        return
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.hostname or "", port), timeout=CHECK_SECONDS).close()
    except OSError as error:
        raise ModelTransient(
            f"{api_base} cannot be reached: {error.strerror or error}",
            next_step="start the server, or correct [model] api_base in aifactory.toml",
        ) from error


def _follow(inbox: SimpleQueue[Message], deadline: float, line: Line) -> Message | None:
    """The last message of a call; None if the call must be cut first."""
    while (message := receive(inbox, deadline, line.stop)) is not None:
        if message["event"] != "progress":
            return message
        line.progress(message["characters"])
    return None


def _wire(request: Request) -> dict[str, Any]:
    return {
        "model": request.model,
        "api_base": request.api_base,
        "messages": list(request.messages),
        "parameters": dict(request.parameters),
        "tools": list(request.tools),
        "seconds": request.seconds,
        "stall_seconds": request.stall_seconds,
    }


def _outcome(last: Message, model: str) -> Answer:
    match last["event"]:
        case "answer":
            return _answer(last["answer"], model)
        case "error":
            raise _failure(last, model)
        case "cancelled":
            raise Cancelled("the call was cancelled, its connection is closed", in_doubt=True)
        case "gone":
            said = last["last_words"]
            raise ModelTransient("the model host ended under way", in_doubt=True, evidence=said)
        case _:
            said = f"{model}: the model host did not answer in time and was ended"
            raise ModelTransient(said, in_doubt=True)


def _answer(wire: dict[str, Any], model: str) -> Answer:
    cost = wire["cost_usd"]
    return Answer(
        text=wire["text"],
        finish_reason=wire["finish_reason"],
        usage=Usage(**wire["usage"]),
        usage_known=wire["usage_known"],
        cost_usd=cost or 0.0,
        cost_known=cost is not None,
        model=model,
        seconds=wire["seconds"],
        tool_calls=tuple(wire["tool_calls"]),
    )


def _failure(wire: Message, model: str) -> ModelFailed:
    message = f"{model}: {wire['message']}"
    match wire["kind"]:
        case "transient":
            return ModelTransient(
                message, retry_after=wire["retry_after"], in_doubt=wire["in_doubt"]
            )
        case "credentials":
            return CredentialsMissing(message)
        case "unknown":
            return ModelUnknown(message)
        case _:
            return ModelPermanent(message)
