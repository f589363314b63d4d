"""The only table of transitions: `(state, event) -> state`. Everything else is refused."""

from __future__ import annotations

from aifactory.errors import AifactoryError, FailureClass
from aifactory.model import State

TABLE: dict[tuple[State | None, str], State] = {
    (None, "task.accepted"): State.QUEUED,
    (None, "task.refused"): State.REJECTED,
    (None, "task.landed"): State.DONE,  # its commit is known, its history is not
    (State.REJECTED, "task.accepted"): State.QUEUED,
    (State.REJECTED, "task.refused"): State.REJECTED,
    (State.REJECTED, "task.withdrawn"): State.CANCELLED,
    (State.QUEUED, "task.refused"): State.REJECTED,
    (State.QUEUED, "task.blocked"): State.BLOCKED,
    (State.QUEUED, "attempt.started"): State.RUNNING,
    (State.QUEUED, "task.failed"): State.FAILED,
    (State.QUEUED, "input.requested"): State.AWAITING_INPUT,
    (State.BLOCKED, "task.blocked"): State.BLOCKED,
    (State.BLOCKED, "task.refused"): State.REJECTED,
    (State.BLOCKED, "task.unblocked"): State.QUEUED,
    (State.RUNNING, "attempt.failed"): State.QUEUED,
    (State.RUNNING, "attempt.interrupted"): State.QUEUED,
    (State.RUNNING, "input.requested"): State.AWAITING_INPUT,
    (State.RUNNING, "approval.requested"): State.AWAITING_APPROVAL,
    (State.RUNNING, "proposal.verified"): State.READY,
    (State.RUNNING, "task.failed"): State.FAILED,
    (State.RUNNING, "task.refused"): State.REJECTED,
    (State.AWAITING_APPROVAL, "proposal.approved"): State.READY,
    (State.AWAITING_APPROVAL, "proposal.rejected"): State.REJECTED,
    (State.AWAITING_APPROVAL, "proposal.stale"): State.QUEUED,
    (State.AWAITING_INPUT, "input.given"): State.QUEUED,
    (State.AWAITING_INPUT, "gate.retried"): State.QUEUED,
    (State.READY, "landing.waits"): State.READY,
    (State.READY, "proposal.verified"): State.READY,
    (State.READY, "task.landed"): State.DONE,
    (State.READY, "proposal.stale"): State.QUEUED,
    (State.READY, "attempt.failed"): State.QUEUED,
    (State.READY, "task.failed"): State.FAILED,
    (State.READY, "input.requested"): State.AWAITING_INPUT,
    (State.READY, "pull.opened"): State.READY,
    (State.READY, "pull.stale"): State.READY,
    (State.READY, "pull.closed"): State.REJECTED,
    (State.CANCELLED, "landing.waits"): State.CANCELLED,  # what it left on the forge stays so long
    (State.CANCELLED, "pull.closing"): State.CANCELLED,
    (State.CANCELLED, "pull.withdrawn"): State.CANCELLED,
    (State.DONE, "task.reverted"): State.DONE,
    (State.QUEUED, "task.landed"): State.DONE,
    (State.RUNNING, "task.landed"): State.DONE,
    (State.CANCELLED, "task.landed"): State.DONE,  # the wish came when the commit was under way
}
for _state in (State.DONE, State.FAILED):
    TABLE[_state, "task.scheduled"] = State.QUEUED
for _state in State:
    if _state.closed or _state is State.AWAITING_INPUT:
        TABLE[_state, "task.retried"] = State.QUEUED
    if not _state.closed:
        TABLE[_state, "task.cancelled"] = State.CANCELLED


class BadTransition(AifactoryError):
    """A state was asked to change in a way that the table does not know."""

    exit_code = 2
    failure_class = FailureClass.INTERNAL


def step(state: State | None, event: str) -> State:
    """The state after `event`; BadTransition when the table has no such row."""
    try:
        return TABLE[state, event]
    except KeyError:
        allowed = sorted(name for (start, name) in TABLE if start == state)
        raise BadTransition(
            f"a task that is {state or 'unknown'} takes no {event!r}",
            next_step=f"possible now: {', '.join(allowed)}",
        ) from None


def chart() -> str:
    """The table as a Mermaid state diagram."""
    rows = [
        f"    {start or '[*]'} --> {end}: {name}"
        for (start, name), end in sorted(TABLE.items(), key=lambda row: (str(row[0]), row[1]))
    ]
    return "\n".join(["stateDiagram-v2", *rows])
