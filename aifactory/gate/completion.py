"""A green command of pytest's has to tell a green result: a process can be made to end with 0."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aifactory.gate.base import Room
from aifactory.gate.base_run import run_on_base
from aifactory.gate.execution import PYTHONS, split
from aifactory.gate.levels import verdict_at
from aifactory.gate.testfiles import is_of_tests, named
from aifactory.model import CommandRecord, Verdict

_RESULT = re.compile(
    r"^(?:=+ )?((?:\d+ \w+(?:, )?)+).* in [\d.]+s\b|^(?:=+ )?no tests ran", re.MULTILINE
)
_COUNT = re.compile(r"(\d+) (\w+)")
_OTHERS = ("--collect-only", "--co", "--fixtures", "--markers", "--version", "-h", "--help")
_RED = ("failed", "error", "errors")
_IDLE = ("skipped", "xfailed", "xpassed", "deselected")
_NO_TESTS = ("warning", "warnings", "rerun", "deselected", "subtests")


class Completion:
    """Every command that is pytest itself says how many tests passed, and leaves out no more
    of them than before."""

    name = "tests ran"

    def run(self, room: Room) -> Verdict | None:
        level = room.strength.machinery
        commands = tuple(filter(is_pytest, (*room.commands, *room.task.acceptance_commands)))
        if level == "off" or not room.base or not commands:
            return None
        return verdict_at(level, self.name, list(_doubts(room, commands)), "pytest told its result")


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


def result_of(record: CommandRecord) -> dict[str, int] | None:
    """What pytest told at its end: how many tests by outcome; None where it told nothing."""
    found = list(_RESULT.finditer(record.output))
    if not found:
        return None
    return {word: int(number) for number, word in _COUNT.findall(found[-1][1] or "")}


def _doubts(room: Room, commands: tuple[str, ...]) -> Iterator[str]:
    for command in commands:
        record = room.known.find(room.tree, command, room.ignored)
        if not (record and record.ok):
            continue
        told = result_of(record)
        if told is None:
            yield f"`{command}` ended with 0, but pytest never told a result"
        elif red := [f"{told[word]} {word}" for word in _RED if word in told]:
            yield f"`{command}` ended with 0, and yet pytest told {', '.join(red)}"
        elif not _tests(told):
            yield f"`{command}` ended with 0, and yet pytest ran no tests"
        elif more := _left_out(room, command, told):
            yield f"`{command}` leaves out {more} more tests than without the change"


def _tests(told: Mapping[str, int]) -> int:
    return sum(number for word, number in told.items() if word not in _NO_TESTS)


def _left_out(room: Room, command: str, told: Mapping[str, int]) -> int:
    """How many more tests are skipped than on the base, where they are the same tests."""
    idle = sum(told.get(word, 0) for word in _IDLE)
    asked = any(is_of_tests(path) and named(path, room.task.files) for path in room.changed)
    if not idle or asked:
        return 0
    before = result_of(run_on_base(room, command))
    if before is None:
        return 0
    more = idle - sum(before.get(word, 0) for word in _IDLE)
    return max(0, more - max(0, _tests(told) - _tests(before)))
