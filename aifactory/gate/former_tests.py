"""The tests as they were, on the code as it would be: what a change made of them does not count.

An author who may write tests can make them agree with the code. So what is green with the change
has to be green with the base's own tests as well, as far as a runner names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from aifactory.errors import EditRefused
from aifactory.gate import verify_script
from aifactory.gate.base import Room
from aifactory.gate.base_run import run_on_base, standing_on
from aifactory.gate.execution import evidence, execute
from aifactory.gate.failures import failed_tests
from aifactory.gate.levels import verdict_at
from aifactory.gate.testfiles import is_of_tests, named
from aifactory.gate.trees import scratch, with_entries
from aifactory.git import Entry
from aifactory.model import CommandRecord, Task, Verdict

MOST_NAMED = 3
_MISSING = re.compile(
    r"cannot import name '(\w+)'|has no attribute '(\w+)'|name '(\w+)' is not defined"
    r"|No module named '([\w.]+)'|unexpected keyword argument '(\w+)'"
    r"|(\w+) is not (?:a function|defined)|Cannot find module '([^']+)'"
)
_ABSENT = re.compile(
    r"No module named '([\w.]+)'|No such file or directory: '([^']+)'|Cannot find module '([^']+)'"
)
_FIXTURE = re.compile(r"^E +fixture '\w+' not found", re.MULTILINE)
_ASSERTED = re.compile(r"\bAssertionError\b|^E +assert\b", re.MULTILINE)
_UPDATE = re.compile(
    r"\b(?:updat|adapt|adjust|chang|rewrit|alter|extend|revis)\w*\b[^.;\n]{0,40}\btests?\b",
    re.IGNORECASE,
)
_COMMON = frozenset({"test", "tests", "the", "and", "with", "for", "not", "are", "that", "its"})


@dataclass(frozen=True)
class Loss:
    """Tests of the base that fail on the new code; `asked`: the task may mean them to."""

    command: str
    tests: tuple[str, ...]
    record: CommandRecord
    asked: bool

    def told(self) -> str:
        shown = ", ".join(self.tests[:MOST_NAMED]) + (", ..." if self.tests[MOST_NAMED:] else "")
        return f"with the tests as they were, `{self.command}` fails: {shown}"


class FormerTests:
    """Tests that a change altered hold in their former version, too, unless the task names them."""

    name = "former tests"

    def run(self, room: Room) -> Verdict | None:
        level = room.strength.tests
        if level == "off" or not room.base:
            return None
        former = _former(room)
        if not former:
            return None
        with scratch(room.repository) as inside:
            try:
                tree = with_entries(inside, room.tree, former)
            except EditRefused:  # a file where a directory was
                return None
            there = replace(room, repository=inside)
            found = list(_losses(room, there, tree, former))
        unasked = [one for one in found if not one.asked]
        shown = unasked or found
        verdict = verdict_at(
            level if unasked else "warn",
            self.name,
            [one.told() for one in shown],
            "green with the tests as they were",
        )
        said = "\n\n".join(evidence(one.command, one.record) for one in shown)
        rule = (
            f"Tests that the task does not name in `files` may not be fitted to the code.\n{said}"
        )
        return verdict.model_copy(update={"evidence": rule}) if shown else verdict


def _former(room: Room) -> dict[str, Entry | None]:
    """The files of tests that the task does not name, as they were; None for a new one.

    New ones stay where a test that the task names was altered, since that may need them.
    """
    sides = {path: before for path, (before, _) in room.changed.items() if is_of_tests(path)}
    asked = {path for path in sides if named(path, room.task.files)}
    new = {path for path, old in sides.items() if old is None}
    meant = {path for path in new if _says(room.task, PurePosixPath(path).name)}
    kept = asked | (new if asked - new else meant)
    return {path: old for path, old in sides.items() if path not in kept}


def _losses(
    room: Room, inside: Room, tree: str, former: Mapping[str, Entry | None]
) -> Iterator[Loss]:
    """New files alone can only hide what was red before; a command that asks for one needs it."""
    altered = any(former.values())
    new = [path for path, old in former.items() if old is None]
    for command in _commands(room):
        if any(_asks_for(command, path) for path in new):
            continue
        if not altered and run_on_base(room, command).ok:
            continue
        record, failed = _failing(inside, tree, command)
        if not failed:
            continue
        before = run_on_base(room, command)
        red = {test for test in failed if _among(test, failed_tests(before))}
        excused = _missing_ones_are_meant(room.task, record) or _misses(record, new)
        asked = excused or (not red and all(_is_meant(room.task, test) for test in failed))
        yield Loss(command, tuple(sorted(red or failed)), record, asked)


def _misses(record: CommandRecord, new: Iterable[str]) -> bool:
    """Whether the tests of the base could not run without a file of theirs that is new."""
    places = [PurePosixPath(path) for path in new]
    if any(one.name == "conftest.py" for one in places) and _FIXTURE.search(record.output):
        return True
    names = (next(filter(None, found)) for found in _ABSENT.findall(record.output))
    absent = {re.split(r"[./]", name.removesuffix(".py"))[-1] for name in names}
    absent |= {PurePosixPath(name).name for _, name, _ in _ABSENT.findall(record.output) if name}
    return any({one.stem, one.name} & absent for one in places)


def _asks_for(command: str, path: str) -> bool:
    """Whether a command names a file: by its path or, as a module, by its name."""
    stem = re.escape(PurePosixPath(path).stem)
    return re.search(rf"(?<!\w){stem}(?!\w)", command) is not None


def _failing(inside: Room, tree: str, command: str) -> tuple[CommandRecord, frozenset[str]]:
    """What fails each time; nothing where no tests are named: by a linter, say."""
    with standing_on(inside, tree, "former tests") as there:
        record = execute(there, command)
        failed = failed_tests(record)
        return record, failed & failed_tests(execute(there, command)) if failed else failed


def _commands(room: Room) -> list[str]:
    """What the gate has run by now."""
    script = verify_script.SCRIPT in room.repository.tree(room.tree)
    own = [f"bash {verify_script.SCRIPT}"] if script and not room.task.verify_exempt else []
    return list(dict.fromkeys((*room.commands, *own, *room.task.acceptance_commands)))


def _among(test: str, others: frozenset[str]) -> bool:
    """Whether a test is one of these, or in a file of which one is."""
    path, _, name = test.partition("::")
    return any(
        test == other or (other.partition("::")[0] == path and not (name and "::" in other))
        for other in others
    )


def _missing_ones_are_meant(task: Task, record: CommandRecord) -> bool:
    """Whether the old tests only miss names that the task is about: it may be to change these."""
    if _ASSERTED.search(record.output):
        return False
    names = [next(filter(None, found)) for found in _MISSING.findall(record.output)]
    return bool(names) and all(_says(task, re.split(r"[./]", name)[-1]) for name in names)


def _is_meant(task: Task, test: str) -> bool:
    """Whether a task may be to change what a test expects: its text speaks of it."""
    path, _, name = test.partition("::")
    words = {word for word in re.split(r"[^a-zA-Z0-9]+", name or path) if len(word) > 2}
    words = {word.lower() for word in words} - _COMMON
    return (
        bool(_UPDATE.search(_text(task)))
        or _says(task, PurePosixPath(path).name)
        or any(_says(task, word) for word in words)
    )


def _text(task: Task) -> str:
    return "\n".join((task.title, task.description, task.notes))


def _says(task: Task, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", _text(task), re.IGNORECASE) is not None
