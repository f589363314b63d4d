"""Which commands have begun and not ended, on disk: what is known of one that our death cuts off.

The line in `commands.jsonl` is written when a command ends. Until then a note in the state
directory stands for it; the next daemon makes a line of each note that it finds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from aifactory import files
from aifactory.layout import Layout
from aifactory.model import CommandRecord, now
from aifactory.redaction import masked_bytes


class Cut(NamedTuple):
    """A command that began and whose end nobody saw; `note` is where that stands."""

    note: Path
    task_id: str
    attempt: int | None
    record: CommandRecord


def begin(layout: Layout, task_id: str, attempt: int | None, command: str) -> None:
    """Note that a command starts."""
    told = {"task": task_id, "attempt": attempt, "command": command, "started_at": now()}
    place = layout.underway / f"{_name(task_id, attempt)}-{_name(command)}.json"
    with files.disk_errors("the note of a command"):
        files.make_dir(place.parent)
        temporary = place.with_suffix(".tmp")
        temporary.write_bytes(masked_bytes(json.dumps(told).encode()))
        files.rename(temporary, place)


def end(layout: Layout, task_id: str, attempt: int | None, command: str) -> None:
    """The command has its line; one whose end goes by another name is the last that began."""
    whose = _name(task_id, attempt)
    place = layout.underway / f"{whose}-{_name(command)}.json"
    notes = [place] if place.exists() else list(layout.underway.glob(f"{whose}-*.json"))
    if notes:
        max(notes, key=lambda note: note.stat().st_mtime_ns).unlink()


def cut(layout: Layout) -> Iterator[Cut]:
    """The commands that an earlier daemon left, in the order in which they began."""
    found = []
    for note in layout.underway.glob("*.json"):
        try:
            told = json.loads(note.read_bytes())
            record = CommandRecord(
                argv=(told["command"],),
                started_at=told["started_at"],
                killed_by="daemon",
                details={"command": told["command"], "cut": "by the end of the daemon"},
            )
            found.append(Cut(note, told["task"], told["attempt"], record))
        except (OSError, ValueError, KeyError):
            note.unlink(missing_ok=True)  # half a note: the machine went down, too
    yield from sorted(found, key=lambda one: one.record.started_at)


def _name(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:20]
