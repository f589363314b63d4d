"""Do the checks prove anything? What is green without the change does not."""

from __future__ import annotations

import shlex
from dataclasses import replace

from aifactory.errors import FailureClass
from aifactory.gate.base import Room
from aifactory.gate.base_run import run_on_base, standing_on
from aifactory.gate.execution import execute
from aifactory.gate.levels import verdict_at
from aifactory.gate.suites import names
from aifactory.gate.testfiles import is_code, is_test
from aifactory.gate.trees import scratch, with_entries
from aifactory.model import Verdict

_RAN = (0, 1, 2)  # of pytest: passed, failed, could not be imported
WEAK = FailureClass.WEAK_VERIFICATION


class AcceptanceProof:
    """At least one acceptance command is red without the change."""

    name = "acceptance proof"

    def run(self, room: Room) -> Verdict | None:
        level, commands = room.strength.acceptance, room.task.acceptance_commands
        if level == "off" or not room.base or not commands:
            return None
        if any(not run_on_base(room, command).ok for command in commands):
            return verdict_at(level, self.name, (), "red without the change")
        findings = [f"`{command}` passes without the change, too" for command in commands]
        return verdict_at(level, self.name, findings, "", WEAK)


class NewTestsProof:
    """The tests that a change of code brings are red without that code."""

    name = "new tests"

    def run(self, room: Room) -> Verdict | None:
        level = room.strength.new_tests
        if level == "off" or not room.base or not any(map(is_code, room.changed)):
            return None
        tests = {
            path: after for path, (_, after) in room.changed.items() if is_test(path) and after
        }
        new = [path for path in tests if _has_new(room, path)]
        if not new:
            return None
        findings = [f"{path}: its new tests pass without the change, too" for path in new]
        with scratch(room.repository) as inside:
            tree = with_entries(inside, room.base, tests)
            proved = _red(replace(room, repository=inside), tree, new)
        return verdict_at(level, self.name, () if proved else findings, "red without it", WEAK)


def _has_new(room: Room, path: str) -> bool:
    """Whether a file of tests has one that it had not."""
    if not path.endswith(".py"):
        return True
    before, after = (room.repository.blob(one.oid) if one else b"" for one in room.changed[path])
    return bool(names(after or b"") - names(before or b""))


def _red(room: Room, tree: str, new: list[str]) -> bool:
    """Whether anything fails on the base with the new tests in it that does not fail without."""
    commands = (*room.commands, *room.task.acceptance_commands)
    green = [command for command in commands if run_on_base(room, command).ok]
    python = [path for path in new if path.endswith(".py")]
    with standing_on(room, tree, "base with the new tests") as there:
        if python:
            alone = execute(there, shlex.join(["python", "-m", "pytest", "-q", *python]))
            if alone.exit_code in _RAN:
                return alone.exit_code != 0
        return any(not execute(there, command).ok for command in green)
