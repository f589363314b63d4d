"""Whose fault is a red gate: the change's, or that of the gate and of what stood before?

A task that mends something starts from a red base, so red on the base is evidence and no proof.
`docs/verification.md` states the rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from aifactory.gate.acceptance import Acceptance
from aifactory.gate.base import GateResult, Room
from aifactory.gate.base_run import run_on_base
from aifactory.gate.execution import evidence
from aifactory.gate.failures import failed_tests, missing_modules, signature
from aifactory.gate.rerun import labelled
from aifactory.model import CommandRecord, Task
from aifactory.paths import match, wild


def attributed(room: Room, result: GateResult) -> GateResult:
    """A red result with what was found out about it: why it is `broken`, what of it is flaky."""
    failed = result.failed_command
    if failed is None or not room.base:
        return result
    command = str(failed.details["command"])
    before = run_on_base(room, command)
    if before.ok or not _as_before(before, failed):
        return labelled(room, result, failed)
    broken = replace(result, broken=f"without the change, too:\n{evidence(command, before)}")
    if _out_of_reach(room, before):
        return broken
    if any(verdict.check == Acceptance.name for verdict in result.red):
        return result
    if not _accepts(room):
        return result if _about_any(room, failed_tests(failed)) else broken
    accepted = Acceptance().run(room)
    return broken if accepted.ok else replace(result, verdicts=(*result.verdicts, accepted))


def _accepts(room: Room) -> bool:
    """Whether the task's own commands tell that it is done: not all were green before."""
    return not all(run_on_base(room, one).ok for one in room.task.acceptance_commands)


def _as_before(before: CommandRecord, failed: CommandRecord) -> bool:
    """Whether the change added nothing to what failed without it."""
    if now := failed_tests(failed):
        return now <= failed_tests(before)
    return signature(before) == signature(failed)


def _out_of_reach(room: Room, before: CommandRecord) -> bool:
    """Whether a program or a module is missing that no answer to this task could bring."""
    if "missing_program" in before.details:
        return True
    missing = missing_modules(before)
    return bool(missing) and not any(_could_bring(room, name) for name in missing)


def _could_bring(room: Room, module: str) -> bool:
    task = room.task
    if module in (room.allowed or ()):  # a tool that is run as a module: pytest, mypy
        return False
    stem = re.compile(rf"(^|/){re.escape(module)}(\.py$|/)")
    trees = (room.base, room.tree)
    if any(stem.search(path) for tree in trees for path in room.repository.tree(tree)):
        return True
    if not task.files:
        return bool(task.acceptance_commands) or _says(task, module)
    places = (f"{top}{module}{end}" for top in ("", "src/") for end in (".py", "/__init__.py"))
    named = any(stem.search(name) for name in task.files)
    return named or any(match(task.files, place) for place in places)


def _about_any(room: Room, tests: frozenset[str]) -> bool:
    """Whether the task may be to mend one of these tests; where none is named, it may."""
    return not tests or any(_about(room, test) for test in tests)


def _about(room: Room, test: str) -> bool:
    """Whether the task speaks of a test, or of what the test reads."""
    path, _, name = test.partition("::")
    short = re.split(r"[\[ (]", name.rpartition("::")[2] or path)[0]
    if any(_says(room.task, word) for word in (path, PurePosixPath(path).name, short)):
        return True
    source = room.repository.blob(f"{room.base}:{path}") or b""
    text = source.decode(errors="replace")
    return any(re.search(rf"\b{re.escape(stem)}\b", text) for stem in _stems(room))


def _stems(room: Room) -> Iterator[str]:
    """The names under which code knows what the task may write, or what the change wrote."""
    asked = (name for name in room.task.files if not wild(name))
    for name in {*asked, *room.changed}:
        path = PurePosixPath(name)
        yield path.parent.name if path.stem in ("__init__", "index", "mod") else path.stem


def _says(task: Task, word: str) -> bool:
    told = (task.title, task.description, task.notes, *task.files, *task.context_files)
    text = "\n".join([*told, *task.acceptance_commands, str(task.inputs or "")])
    return re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", text) is not None
