"""What is asked of a model, and who can be asked."""

from __future__ import annotations

import contextlib
import ipaddress
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from aifactory.model import Answer

SCRIPTED = "scripted/"  # models of this prefix are read from a file, see `Scripted`
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Request:
    """One call of a model.

    `turn` counts the earlier calls for the task (0 for the first), kept by the caller across
    restarts. `seconds` is the wall clock of one try, `stall_seconds` the longest silence between
    two pieces of the answer; both cut the connection.
    """

    call_id: str
    task_id: str
    model: str
    messages: tuple[dict[str, Any], ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    api_base: str | None = None
    tools: tuple[dict[str, Any], ...] = ()
    seconds: float = 600.0
    stall_seconds: float = 120.0
    turn: int = 0


def is_loopback(url: str) -> bool:
    """Whether the server runs on this machine."""
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


@dataclass(frozen=True)
class Line:
    """What holds a call: `stop` cuts it, `progress` hears how many characters have come so far."""

    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default=lambda characters: None)


OPEN = Line()  # nobody cuts it, nobody listens


class Model(Protocol):
    """Whoever answers a request."""

    def complete(self, request: Request, line: Line = OPEN) -> Answer:
        """The whole answer.

        Raises ModelTransient, ModelPermanent, CredentialsMissing, or Cancelled once the line is
        cut.
        """
        ...
