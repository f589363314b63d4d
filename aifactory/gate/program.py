"""A program of ours in the cage, run by the project's interpreter: a request in, an answer out."""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

from aifactory.errors import GateBroken
from aifactory.gate.base import Room, last_lines
from aifactory.gate.execution import PYTHONS, execute, split
from aifactory.model import CommandRecord


def ask(
    room: Room, program: str, request: Mapping[str, Any], seconds: float, called: str
) -> dict[str, Any]:
    """The answer of a program of `sandbox/programs`; GateBroken with its words where there is none.

    `called` stands for the command in events and records.
    """
    mark = secrets.token_hex(16)
    given = json.dumps({**request, "mark": mark})
    hidden = replace(
        room,
        timeout=seconds,
        task=room.task.model_copy(update={"command_timeout": None}),
        on_start=lambda command: room.on_start(called),
        on_command=lambda record: room.on_command(_short(record, called)),
    )
    record = execute(hidden, shlex.join(["python", "-I", "-c", source_of(program), given]))
    lines = (line for line in record.output.splitlines() if line.startswith(mark))
    answer = next((json.loads(line.removeprefix(mark)) for line in lines), None)
    if answer is None or "error" in answer:
        why = answer["error"] if answer else f"no answer: {last_lines(record.output, 300)}"
        raise GateBroken(f"{called} cannot be had: {why}", next_step="see [strength] in the docs")
    return dict(answer)


def source_of(program: str) -> str:
    return files("aifactory.sandbox.programs").joinpath(f"{program}.py").read_text()


def _short(record: CommandRecord, called: str) -> CommandRecord:
    details = {**record.details, "command": called, "on": called}
    return record.model_copy(update={"argv": (called,), "details": details})


def argv(room: Room) -> list[list[str]]:
    """The commands of owner and task as words, with the project's interpreter by its path."""
    commands = [*room.commands, *room.task.acceptance_commands]
    found = [list(split(command)) for command in commands]
    return [[str(room.python), *words[1:]] if words[0] in PYTHONS else words for words in found]
