"""Which programs a task's own commands may run, by their names and by what those lead to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from aifactory.errors import PolicyDenied
from aifactory.gate.base import Room
from aifactory.gate.execution import split
from aifactory.model import CommandRecord, Task, now
from aifactory.policy import command_refusal

REMEDY = "add the program to [policy] commands in aifactory.toml, or change the task's command"


def check_programs(task: Task, allowed: Sequence[str]) -> None:
    """Raise PolicyDenied for a command whose program the owner does not allow to a task.

    Raises InvalidInput for one that cannot be split. Worth asking before an agent is paid.
    """
    for command in task.acceptance_commands:
        if why := command_refusal(split(command), allowed):
            raise denied(task, command, why)


def check_resolved(room: Room, allowed: Sequence[str]) -> None:
    """The same for what each program really is in the tree and on the PATH of the cage."""
    for command in room.task.acceptance_commands:
        if why := _resolved_refusal(room, split(command), allowed):
            raise denied(room.task, command, why)


def denied(task: Task, command: str, why: str) -> PolicyDenied:
    """The refusal of one command, with a record of it as of those that ran."""
    told = f"acceptance command `{command}` of {task.task_id}: {why}"
    error = PolicyDenied(told, next_step=REMEDY)
    details = {"command": command}
    record = CommandRecord(argv=split(command), started_at=now(), denied=why, details=details)
    error.commands = (record,)
    return error


def _resolved_refusal(room: Room, words: Sequence[str], allowed: Sequence[str]) -> str | None:
    tree = room.workspace.path.resolve()
    if "/" in words[0]:
        real = Path(os.path.realpath(tree / words[0]))
        inside = real.is_relative_to(tree)
        program = f"./{real.relative_to(tree)}" if inside else str(real)
        why = command_refusal([program, *words[1:]], allowed)
        return why and f"`{words[0]}` is {program}, and {why}"
    return _disguise(room, words[0])


def _disguise(room: Room, name: str) -> str | None:
    """Why a program found by its name is none of the machine's: a link into the tree itself."""
    tools = room.tools
    found = shutil.which(name, path=tools.environment["PATH"])
    real = Path(os.path.realpath(found)) if found else None
    homes = (room.workspace.path.resolve(), room.repository.root.resolve())
    if real is None or any(real.is_relative_to(place.resolve()) for place in tools.readable):
        return None
    if any(real.is_relative_to(home) for home in homes):
        return f"`{name}` is a link to {real}, which belongs to the repository"
    return None
