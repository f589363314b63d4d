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
from aifactory.gate.trickery import trickery
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
        found = chain(
            _findings(room, others, steering), _replaced(room, others), _copies(room, others)
        )
        return _verdict(room, self.name, found, "untouched")


class TestAwareness:
    """No code that asks whether it is being tested, or that makes tests green by a trick."""

    __test__ = False
    name = "test awareness"

    def run(self, room: Room) -> Verdict | None:
        code = [path for path, (_, after) in room.changed.items() if after and is_code(path)]
        found = (_findings(room, code, look) for look in (awareness, trickery))
        return _verdict(room, self.name, chain.from_iterable(found), "none")


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


def _copies(room: Room, paths: Iterable[str]) -> Iterator[str]:
    """New modules among tests that would be imported for ones of the code, of the same name."""
    tree = room.repository.tree(room.tree)
    tops = ("", "src")
    own = {PurePosixPath(path).stem for path in tree
           if is_code(path) and path.endswith(".py") and _folder(path) in tops}  # fmt: skip
    for path in paths:
        stem, new = PurePosixPath(path).stem, room.changed[path][0] is None
        alone = f"{_folder(path)}/__init__.py" not in tree
        if new and alone and path.endswith(".py") and is_test(path) and stem in own:
            yield f"{path}: stands in the way of the module {stem}"


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _read(room: Room, entry: Entry | None) -> bytes:
    return (room.repository.blob(entry.oid) if entry else None) or b""
