"""The same commands on the base: whose fault is it that the gate is red?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aifactory.gate.base import GateResult, Room
from aifactory.gate.execution import execute
from aifactory.model import CommandRecord, sha256

_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{7,64}\b|\d+(?:[.:]\d+)*")

_LISTED = re.compile(r"(FAILED|FAIL:|ERROR:?) ")


@dataclass(frozen=True)
class Comparison:
    """One command that is red with the change, and what it does without.

    Red on the base is evidence, not proof: a task that mends failing tests starts from a red base.
    `same_signature` says that both fail with the same words.
    """

    command: str
    red_on_base: bool
    same_signature: bool
    record: CommandRecord


def broken_on_base(room: Room, result: GateResult) -> tuple[Comparison, ...]:
    """Run the commands that failed in `result` on the tree of `room`, which is the base's."""
    failed = [record for record in result.commands if not record.ok]
    if failed:
        room.workspace.checkout(room.repository, room.tree)
    return tuple(_compare(room, record) for record in failed)


def _compare(room: Room, with_change: CommandRecord) -> Comparison:
    command = str(with_change.details["command"])
    without = execute(room, command)
    same = not without.ok and signature(without) == signature(with_change)
    return Comparison(command, not without.ok, same, without)


def signature(record: CommandRecord) -> str:
    """A digest of how a command failed, equal for two failures that differ only in numbers.

    Where a test runner lists what failed, that list is the failure.
    """
    text = _NUMBERS.sub("0", record.output)
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    lines = sorted(line for line in lines if _LISTED.match(line)) or lines
    how = f"{record.exit_code} {record.signal} {record.timed_out}"
    return sha256("\n".join([how, *lines]).encode(errors="replace"))
