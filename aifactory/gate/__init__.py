"""The checks that a proposal must pass before it may land, each a verdict with evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aifactory.errors import AifactoryError
from aifactory.gate.acceptance import Acceptance
from aifactory.gate.base import Check, Equipment, GateResult, Room
from aifactory.gate.blame import attributed
from aifactory.gate.commands import Commands
from aifactory.gate.completion import Completion
from aifactory.gate.conditions import Postconditions, check_preconditions
from aifactory.gate.former_tests import FormerTests
from aifactory.gate.held_out import HeldOut
from aifactory.gate.interpreter import interpreter
from aifactory.gate.kept_tests import KeptTests
from aifactory.gate.known import Known
from aifactory.gate.machinery import TestAwareness, TestMachinery
from aifactory.gate.measured import Coverage, Mutation
from aifactory.gate.programs import check_programs
from aifactory.gate.proof import AcceptanceProof, NewTestsProof
from aifactory.gate.security import Security
from aifactory.gate.verify_script import VerifyScript
from aifactory.model import CommandRecord, Verdict

__all__ = [
    "CHECKS",
    "Check",
    "Equipment",
    "GateResult",
    "Known",
    "Room",
    "check_preconditions",
    "check_programs",
    "interpreter",
    "run",
]

CHECKS: tuple[Check, ...] = (
    Postconditions(),
    KeptTests(),
    TestMachinery(),
    TestAwareness(),
    Security(),
    Commands(),
    VerifyScript(),
    Acceptance(),
    Completion(),
    FormerTests(),
    AcceptanceProof(),
    NewTestsProof(),
    HeldOut(),
    Coverage(),
    Mutation(),
)


def run(room: Room, checks: Sequence[Check] = CHECKS) -> GateResult:
    """Judge exactly `room.tree`, check after check, up to the first that is red.

    What is red is looked at without the change, too, to tell whose fault it is.

    Raises SandboxUnusable, PolicyDenied, InvalidInput (a command that cannot be split), Interrupted
    when `room.stop` is set; `commands` of the error has the records until then.
    """
    records: list[CommandRecord] = []
    verdicts: list[Verdict] = []
    room.workspace.checkout(room.repository, room.tree)
    try:
        for check in checks:
            verdict = check.run(room.watched(records))
            verdicts += [verdict] if verdict else []
            if verdict and not verdict.ok:
                break
        found = attributed(room.watched(records), GateResult(tuple(verdicts), tuple(records)))
    except AifactoryError as error:
        error.commands = (*records, *error.commands)
        raise
    return replace(found, commands=tuple(records))
