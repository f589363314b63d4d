"""A green run of tests has to tell a green result: a process can be made to end with 0."""

from __future__ import annotations

from collections.abc import Iterator

from aifactory.gate.base import Room
from aifactory.gate.base_run import run_on_base
from aifactory.gate.levels import verdict_at
from aifactory.gate.results import Result, Runner, runner_of
from aifactory.gate.testfiles import is_of_tests, named
from aifactory.model import Verdict

_ENDS = (b"exit", b"process", b"globalthis", b"deno", b"abort")


class Completion:
    """Every command that is a test runner itself says how many tests passed, and leaves out no
    more of them than before."""

    name = "tests ran"

    def run(self, room: Room) -> Verdict | None:
        level = room.strength.machinery
        commands = (*room.commands, *room.task.acceptance_commands)
        known = {command: runner for command in commands if (runner := runner_of(command))}
        if level == "off" or not room.base or not known:
            return None
        found = [
            told for command, runner in known.items() if (told := _doubt(room, command, runner))
        ]
        return verdict_at(level, self.name, found, "the runners told their results")


def _doubt(room: Room, command: str, runner: Runner) -> str:
    record = room.known.find(room.tree, command, room.ignored)
    if not (record and record.ok):
        return ""
    told = runner.read(record.output)
    if told is None and runner.read(run_on_base(room, command).output):
        return f"`{command}` ended with 0, but {runner.name} never told a result"
    if told is None:
        return ""  # nor did it without the change: its settings make it quiet
    if told.red:
        return f"`{command}` ended with 0, and yet {runner.name} told {told.red} failed"
    if not told.tests:
        return f"`{command}` ended with 0, and yet {runner.name} ran no tests"
    return "".join(_less(room, command, runner, told))


def _less(room: Room, command: str, runner: Runner, told: Result) -> Iterator[str]:
    """What is left out beside the run on the base, which is looked at where there is a reason."""
    asked = any(is_of_tests(path) and named(path, room.task.files) for path in room.changed)
    ends = runner.name == "node" and _speaks_of_ends(room)
    if asked or not (told.idle or ends):
        return
    before = runner.read(run_on_base(room, command).output)
    if before is None:
        return
    more = told.idle - before.idle - max(0, told.tests - before.tests)
    if more > 0:
        yield f"`{command}` leaves out {more} more tests than without the change"
    elif ends and told.tests < before.tests:
        yield f"`{command}` ran {told.tests} tests, and {before.tests} without the change"


def _speaks_of_ends(room: Room) -> bool:
    """Whether the change may end a process, which ends the tests of a file."""
    after = (room.repository.blob(entry.oid) for _, entry in room.changed.values() if entry)
    return any(word in text.lower() for text in after if text for word in _ENDS)
