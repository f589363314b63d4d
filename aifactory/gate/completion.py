"""A green command of pytest's has to tell its result: a process can be made to end with 0."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aifactory.gate.base import Room
from aifactory.gate.execution import PYTHONS, split
from aifactory.gate.levels import verdict_at
from aifactory.model import Verdict

_RESULT = re.compile(
    r"^(?:=+ )?(?:\d+ \w+(?:, )?)+.* in [\d.]+s\b|^(?:=+ )?no tests ran", re.MULTILINE
)
_OTHERS = ("--collect-only", "--co", "--fixtures", "--markers", "--version", "-h", "--help")


class Completion:
    """Every command that is pytest itself says how many tests passed."""

    name = "tests ran"

    def run(self, room: Room) -> Verdict | None:
        level = room.strength.machinery
        commands = tuple(filter(is_pytest, (*room.commands, *room.task.acceptance_commands)))
        if level == "off" or not room.base or not commands:
            return None
        return verdict_at(level, self.name, list(_silent(room, commands)), "pytest told its result")


def is_pytest(command: str) -> bool:
    """Whether a command is pytest by itself, with its ordinary output, and not inside a script."""
    words = split(command)
    module = words[0] in PYTHONS and words[1:3] == ("-m", "pytest")
    quiet = sum(word.count("q") for word in words if re.fullmatch(r"-q+", word)) > 1
    return (
        (module or words[0] in ("pytest", "py.test"))
        and not quiet
        and not (set(words) & set(_OTHERS))
    )


def _silent(room: Room, commands: tuple[str, ...]) -> Iterator[str]:
    for command in commands:
        record = room.known.find(room.tree, command, room.ignored)
        if record and record.ok and not _RESULT.search(record.output):
            yield f"`{command}` ended with 0, but pytest never told a result"
