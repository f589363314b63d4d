"""What the gate's result means for the task: nothing against it, or an error with its class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from aifactory.errors import (
    AifactoryError,
    FailureClass,
    GateBroken,
    GateFailed,
    GateFlaky,
    PostconditionFailed,
    WeakVerification,
)
from aifactory.factory import Factory
from aifactory.gate import GateResult
from aifactory.landing import Candidate
from aifactory.model import Task

E = TypeVar("E", bound=AifactoryError)
KINDS: Mapping[FailureClass, type[AifactoryError]] = {
    kind.failure_class: kind for kind in (GateFailed, WeakVerification, PostconditionFailed)
}


def ignored(factory: Factory, task: Task, candidate: Candidate) -> tuple[str, ...]:
    """The tests of pytest's that do not count for this change, because they are flaky.

    They do for the change that they were found on, unless they are flaky without it, too, and for
    one of their own files: either may be what makes them flaky.
    """
    return tuple(
        flake.test
        for flake in factory.flakes.active()
        if "::" in flake.test
        and flake.found_by != task.task_id
        and flake.test.partition("::")[0] not in candidate.changed
    )


def error_of(
    factory: Factory, task: Task, candidate: Candidate, result: GateResult
) -> AifactoryError | None:
    """The error that a red result is; None for a green one. Flaky tests are set aside by it."""
    if result.ok:
        return None
    if result.missing_programs or result.broken:
        return broken(result)
    suspect = frozenset(found_before(factory, task.task_id)) - set(result.inherited)
    suspect |= candidate.changed.keys()
    own = [test for test in result.flaky if {test, test.partition("::")[0]} & suspect]
    if result.flaky:
        set_aside(factory, task, candidate, result)
    if result.passed_again and not own:
        return flaky(result)
    kind = KINDS.get(result.red[0].failure, GateFailed)
    note = f"\n\nPassed when run again, so it fails now and then: {', '.join(own)}" if own else ""
    return told(kind(result.message, evidence=result.evidence() + note), result)


def found_before(factory: Factory, task_id: str) -> Iterable[str]:
    """The tests that were flaky on this task's change before."""
    return (flake.test for flake in factory.flakes.active() if flake.found_by == task_id)


def set_aside(factory: Factory, task: Task, candidate: Candidate, result: GateResult) -> None:
    failed = result.failed_command
    command = str(failed.details["command"]) if failed else ""
    days = factory.config.flakes.days
    for flake in factory.flakes.add(result.flaky, command, task.task_id, days, result.inherited):
        factory.stream.emit(
            "test.quarantined", task.task_id, candidate.attempt, test=flake.test, until=flake.until
        )


def flaky(result: GateResult) -> GateFlaky:
    """The error for a gate whose red a rerun did not repeat."""
    named = ", ".join(result.flaky)
    message = f"failed once and passed when run again on the same tree: {named}"
    return told(GateFlaky(message, evidence=result.evidence()), result)


def broken(result: GateResult) -> GateBroken:
    """The error for a gate that is red whatever the change is."""
    named = ", ".join(dict.fromkeys(result.missing_programs))
    cannot = f"the gate cannot start: the sandbox has no {named}"
    before = f"red without the change, too: {result.message}"
    evidence = result.broken or result.evidence()
    return told(GateBroken(cannot if named else before, evidence=evidence), result)


def told(error: E, result: GateResult) -> E:
    """The error with what the gate found, for `gate-N.json`."""
    error.verdicts, error.commands = result.verdicts, result.commands
    return error
