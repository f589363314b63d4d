"""The same command on the same tree once more. It labels what is flaky; it makes nothing green."""

from __future__ import annotations

from dataclasses import replace

from aifactory.gate.base import GateResult, Room
from aifactory.gate.base_run import standing_on
from aifactory.gate.execution import execute
from aifactory.gate.failures import failed_tests
from aifactory.model import CommandRecord

BASE_RUNS = 5  # of a test that fails every second time, 31 of 32 show


def labelled(room: Room, result: GateResult, failed: CommandRecord) -> GateResult:
    """The red result with what a rerun did not repeat: `flaky`, and whether all of it passed."""
    if failed.timed_out or failed.killed_by != "none":
        return result  # a rerun would use up the same time, memory or disk again
    command = str(failed.details["command"])
    with standing_on(room, room.tree, "rerun") as there:
        again = execute(there, command)
    flaky = _once_only(command, failed, again)
    found = replace(result, flaky=tuple(sorted(flaky)), passed_again=again.ok)
    return replace(found, inherited=tuple(sorted(_inherited(room, command, flaky))))


def _inherited(room: Room, command: str, flaky: frozenset[str]) -> frozenset[str]:
    """Those that were flaky on this change before, and now and then fail on the base as well."""
    open_ones = flaky & set(room.suspected)
    found: frozenset[str] = frozenset()
    for _ in range(BASE_RUNS if open_ones else 0):
        with standing_on(room, room.base, "base") as there:
            record = execute(there, command)
        if not record.ok:
            found |= open_ones & (failed_tests(record) or {command})
        if found == open_ones:
            break
    return found


def _once_only(command: str, first: CommandRecord, again: CommandRecord) -> frozenset[str]:
    """The tests that failed in one of two runs; the command itself where no test is named."""
    if again.ok:
        return failed_tests(first) or frozenset({command})
    both = failed_tests(first), failed_tests(again)
    return both[0] ^ both[1] if all(both) else frozenset()
