"""What a change does to the tests, judged apart from what the tests say of the change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from aifactory.gate import suites
from aifactory.gate.base import Room
from aifactory.gate.levels import verdict_at
from aifactory.gate.testfiles import is_test, named
from aifactory.model import Verdict


class KeptTests:
    """No test is deleted, skipped or asserts less, unless the task names its file."""

    name = "kept tests"

    def run(self, room: Room) -> Verdict | None:
        level = room.strength.tests
        if level == "off" or not room.base:
            return None
        findings = list(_findings(room))
        asked = [told for path, told in findings if named(path, room.task.files)]
        others = [told for path, told in findings if not named(path, room.task.files)]
        if asked and not others:
            return verdict_at(
                "warn", self.name, [f"{told}; the task names it" for told in asked], ""
            )
        return verdict_at(level, self.name, others, "none deleted, skipped or weakened")


def _findings(room: Room) -> Iterator[tuple[str, str]]:
    sides = {path: _contents(room, path) for path in room.changed if is_test(path)}
    moved = {name for before, after in sides.values() for name in _new_names(before, after)}
    if _helpers_only_move(sides.values()):
        moved.add(suites.HELPERS)
    for path, (before, after) in sides.items():
        lost = suites.losses(path, before or b"", after, moved)
        if after is None and lost:
            yield path, f"{path} is deleted: {'; '.join(lost)}"
        elif after is not None:
            yield from ((path, f"{path}: {told}") for told in lost)


def _helpers_only_move(sides: Iterable[tuple[bytes | None, bytes | None]]) -> bool:
    """Whether what asserts outside of tests asserts as much as before, all files together."""
    both = [tuple(suites.helpers(one or b"").strengths for one in side) for side in sides]
    before, after = (sorted(chain.from_iterable(side[at] for side in both)) for at in (0, 1))
    return before == after


def _contents(room: Room, path: str) -> tuple[bytes | None, bytes | None]:
    before, after = (room.repository.blob(one.oid) if one else None for one in room.changed[path])
    return before, after


def _new_names(before: bytes | None, after: bytes | None) -> set[str]:
    return suites.names(after or b"") - suites.names(before or b"")
