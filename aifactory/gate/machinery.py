"""The runner is the owner's: nothing in the change steers how it is tested, or knows that it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import PurePosixPath

from aifactory.gate.awareness import awareness
from aifactory.gate.base import Room
from aifactory.gate.hooks import fixtures, is_settings, steering
from aifactory.gate.levels import verdict_at
from aifactory.gate.testfiles import is_code, is_test, named
from aifactory.git import Entry
from aifactory.model import Verdict

Look = Callable[[str, bytes, bytes], Iterable[str]]
_BUILT_IN = (
    *("cache", "capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "capteesys"),
    *("doctest_namespace", "monkeypatch", "pytestconfig", "pytester", "record_property"),
    *("recwarn", "request", "subtests", "testdir", "tmp_path", "tmp_path_factory", "tmpdir"),
)


class TestMachinery:
    """No change to how tests are run, unless the task names the file.

    Where there is no test yet, the settings of a runner are part of the work.
    """

    __test__ = False
    name = "test machinery"

    def run(self, room: Room) -> Verdict | None:
        fresh = not any(map(is_test, room.repository.tree(room.base)))
        free = (*room.task.files, *(filter(is_settings, room.changed) if fresh else ()))
        others = [path for path in room.changed if not named(path, free)]
        found = chain(_findings(room, others, steering), _replaced(room, others))
        return _verdict(room, self.name, found, "untouched")


class TestAwareness:
    """No code that asks whether it is being tested."""

    __test__ = False
    name = "test awareness"

    def run(self, room: Room) -> Verdict | None:
        code = (path for path, (_, after) in room.changed.items() if after and is_code(path))
        return _verdict(room, self.name, _findings(room, code, awareness), "none")


def _verdict(room: Room, check: str, found: Iterable[str], fine: str) -> Verdict | None:
    level = room.strength.machinery
    if level == "off" or not room.base:
        return None
    return verdict_at(level, check, list(found), fine)


def _findings(room: Room, paths: Iterable[str], look: Look) -> Iterator[str]:
    for path in paths:
        before, after = (_read(room, entry) for entry in room.changed[path])
        yield from (f"{path}: {told}" for told in look(path, before, after))


def _replaced(room: Room, paths: Iterable[str]) -> Iterator[str]:
    """Fixtures of a conftest.py that stand in the way of ones that tests have had."""
    mine = [path for path in paths if PurePosixPath(path).name == "conftest.py"]
    if not mine:
        return
    known = set(_BUILT_IN)
    for path, entry in room.repository.tree(room.base).items():
        if PurePosixPath(path).name == "conftest.py":
            known |= fixtures(_read(room, entry))
    for path in mine:
        before, after = (fixtures(_read(room, entry)) for entry in room.changed[path])
        told = sorted((after - before) & known)
        yield from (f"{path}: replaces the fixture {name}" for name in told)


def _read(room: Room, entry: Entry | None) -> bytes:
    return (room.repository.blob(entry.oid) if entry else None) or b""
