"""The log on stderr: a reader of the stream of events that writes one line for each."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Literal, TextIO

from aifactory.events import Reader
from aifactory.model import Event
from aifactory.narration import describe, needs_attention, one_line
from aifactory.redaction import redacted_data

Format = Literal["console", "json"]
STYLES = ("\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[0m")  # bold, dim, yellow, plain
RESERVED = ("at", "level", "event", "task", "attempt", "run", "id")


def reader(log_format: Format | None = None, stream: TextIO | None = None) -> Reader:
    """A reader that writes console lines or JSON lines; None: console on a terminal, else JSON."""
    import structlog

    out = sys.stderr if stream is None else stream
    chosen = log_format or ("console" if out.isatty() else "json")
    render = _console if chosen == "console" else structlog.processors.JSONRenderer()
    logger: Any = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[_redact, render],
        wrapper_class=structlog.BoundLogger,
    )

    def write(event: Event) -> None:
        level = "warning" if needs_attention(event) else "info"
        fields = {f"data_{k}" if k in RESERVED else k: v for k, v in event.data.items()}
        head = {"at": event.at, "level": level, "task": event.task, "attempt": event.attempt}
        if chosen == "console":
            fields = {"text": describe(event), "colour": colours(out)}
        with suppress(OSError, ValueError):  # a log that nobody reads any more stops no work
            getattr(logger, level)(event.name, **head, run=event.run, id=event.id, **fields)

    return write


def colours(stream: TextIO) -> bool:
    """Whether a stream gets colours, by NO_COLOR, FORCE_COLOR, TERM=dumb and what it is."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _redact(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: redacted_data(value) for name, value in fields.items()}


def _console(_: Any, __: str, fields: MutableMapping[str, Any]) -> str:
    """`10:04:05 task.landed t1 (2)  landed: 1a2b3c4`, or the same with colours."""
    bold, dim, warn, end = STYLES if fields["colour"] else ("",) * 4
    name = f"{fields['event']:<18}"
    if fields["level"] == "warning":
        name = f"{warn}{name}{end}"
    attempt = f" ({fields['attempt']})" if fields["attempt"] else ""
    subject = one_line(f"{fields['task'] or fields['run']}{attempt}")
    return f"{dim}{fields['at'][11:19]}{end} {name} {bold}{subject}{end}  {fields['text']}"
