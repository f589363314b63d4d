"""How programs speak to models: a family of wire formats behind one Protocol."""

from __future__ import annotations

from aifactory.agents.dialects.base import MODEL, Asked, Dialect, Event, NotUnderstood, Said
from aifactory.agents.dialects.chat import Chat
from aifactory.agents.dialects.contents import Contents
from aifactory.agents.dialects.counts import COUNTS, Count
from aifactory.agents.dialects.messages import Messages
from aifactory.agents.dialects.responses import Responses
from aifactory.agents.dialects.turns import sendable

DIALECTS: tuple[Dialect, ...] = (
    Chat(),
    Responses(),
    Messages(),
    Contents(":generateContent"),
    Contents(":streamGenerateContent", stream=True),
)

__all__ = [
    "DIALECTS",
    "MODEL",
    "Asked",
    "Chat",
    "Count",
    "Dialect",
    "Event",
    "NotUnderstood",
    "Said",
    "counted",
    "sendable",
    "spoken",
]


def spoken(path: str) -> Dialect | None:
    """The dialect that is spoken at this address."""
    return next((one for one in DIALECTS if path.rstrip("/").endswith(one.path)), None)


def counted(path: str) -> Count | None:
    """How tokens are counted at this address."""
    return next((one for one in COUNTS if path.rstrip("/").endswith(one.path)), None)
