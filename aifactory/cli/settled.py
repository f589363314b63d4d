"""Whether tasks still move by themselves, and what became of them as an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aifactory.errors import FailureClass, LimitReached, Pending
from aifactory.model import Record, State

BAD = (State.FAILED, State.REJECTED, State.CANCELLED)
LIMITS = (FailureClass.BUDGET_EXHAUSTED, FailureClass.DEADLINE)
EXIT_FAILED = 1


def moves(record: Record) -> bool:
    """Whether the daemon goes on with a task.

    What is ready and has a reason waits for a person, but for a review, which anybody may end.
    """
    ready = record.state is State.READY and (record.in_review or not record.reason)
    return ready or record.state in (State.QUEUED, State.RUNNING)


def is_settled(wanted: Iterable[Record], every: Iterable[Record]) -> bool:
    """Whether none of `wanted` can move on without a person.

    A blocked task moves on as long as anything else does.
    """
    others = any(map(moves, every))
    return not any(moves(one) or (one.state is State.BLOCKED and others) for one in wanted)


def exit_code(wanted: Sequence[Record]) -> int:
    """0 all done, 1 something failed, 6 a limit was reached, 8 a person has to act."""
    if any(record.state in BAD for record in wanted):
        return EXIT_FAILED
    if any(r.failure and r.failure.failure_class in LIMITS for r in wanted if not r.state.closed):
        return LimitReached.exit_code
    return 0 if all(record.state is State.DONE for record in wanted) else Pending.exit_code
