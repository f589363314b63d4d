"""The same command on the base: was it red before the change?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from aifactory.gate.base import Room
from aifactory.gate.execution import execute
from aifactory.model import CommandRecord


def run_on_base(room: Room, command: str) -> CommandRecord:
    """The record of a command on `room.base`; an earlier one where it is known."""
    known = room.known.find(room.base, command, room.ignored)
    if known is None:
        with standing_on(room, room.base, "base") as there:
            known = execute(there, command)
        room.known.keep(room.base, command, room.ignored, known)
    return known


@contextmanager
def standing_on(room: Room, tree: str, called: str) -> Iterator[Room]:
    """The room with another tree in its workspace; records of commands say `called`."""

    def note(record: CommandRecord) -> None:
        room.on_command(record.model_copy(update={"details": {**record.details, "on": called}}))

    room.workspace.checkout(room.repository, tree)
    try:
        yield replace(room, tree=tree, on_command=note)
    finally:
        room.workspace.checkout(room.repository, room.tree)
