"""The runner is the owner's: nothing in the change steers how it is tested, or knows that it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from aifactory.gate.awareness import awareness
from aifactory.gate.base import Room
from aifactory.gate.hooks import is_settings, steering
from aifactory.gate.levels import verdict_at
from aifactory.gate.testfiles import is_code, is_test, named
from aifactory.model import Verdict

Look = Callable[[str, bytes, bytes], Iterable[str]]


class TestMachinery:
    """No change to how tests are run, unless the task names the file.

    Where there is no test yet, the settings of a runner are part of the work.
    """

    __test__ = False
    name = "test machinery"

    def run(self, room: Room) -> Verdict | None:
        fresh = not any(map(is_test, room.repository.tree(room.base)))
        free = (*room.task.files, *(filter(is_settings, room.changed) if fresh else ()))
        others = (path for path in room.changed if not named(path, free))
        return _verdict(room, self.name, others, steering, "untouched")


class TestAwareness:
    """No code that asks whether it is being tested."""

    __test__ = False
    name = "test awareness"

    def run(self, room: Room) -> Verdict | None:
        code = (path for path in room.changed if is_code(path))
        return _verdict(room, self.name, code, awareness, "none")


def _verdict(room: Room, check: str, paths: Iterable[str], look: Look, fine: str) -> Verdict | None:
    level = room.strength.machinery
    if level == "off" or not room.base:
        return None
    return verdict_at(level, check, list(_findings(room, paths, look)), fine)


def _findings(room: Room, paths: Iterable[str], look: Look) -> Iterator[str]:
    read = room.repository.blob
    for path in paths:
        before, after = room.changed[path]
        if after:
            found = look(
                path, (read(before.oid) if before else None) or b"", read(after.oid) or b""
            )
            yield from (f"{path}: {told}" for told in found)
