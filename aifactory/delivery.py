"""What becomes of a verified task when it lands, waits, or cannot follow the target branch."""

from __future__ import annotations

from collections.abc import Collection

from aifactory import failing, landing, proposals, reversal, verification
from aifactory.enduring import of_machine
from aifactory.errors import AifactoryError, AttemptFailed, StaleBase
from aifactory.factory import Factory
from aifactory.forge import PullRequest
from aifactory.gate import GateResult
from aifactory.landing import Candidate, Outcome
from aifactory.model import Failure, Record, State, Task


def mode(factory: Factory, task: Task) -> str:
    """How a task lands."""
    return task.land or factory.config.land.mode


def by_pull(factory: Factory, task_id: str) -> bool:
    """Whether a task lands by a pull request."""
    return mode(factory, factory.queue.task(task_id)) == "pr"


def verified(factory: Factory, task: Task, candidate: Candidate, result: GateResult | None) -> None:
    """The gate is green on another base: this commit is the one that is to land now."""
    assert result
    landing.publish(factory.repository, candidate)
    number = candidate.attempt
    factory.queue.change(
        task.task_id,
        "proposal.verified",
        attempt=number,
        data={"commit": candidate.commit, "tree": candidate.tree, "again": True},
        artifacts=verification.gate_artifacts(number, result),
        keep=[candidate.commit],
        pending=candidate.commit,
        reason="",
    )


def settle(factory: Factory, task: Task, candidate: Candidate, outcome: Outcome) -> None:
    """Record what came of a landing."""
    match outcome:
        case landing.Landed(commit):
            landed(factory, task, commit)
        case landing.Waiting(reason):
            wait(factory, task.task_id, reason)
        case landing.Moved(tip):
            factory.stream.emit("landing.moved", task.task_id, candidate.attempt, tip=tip)


def wait(factory: Factory, task_id: str, reason: str) -> None:
    """Tell, once, why a verified task does not land yet."""
    if reason != factory.queue.records[task_id].reason:
        factory.queue.change(task_id, "landing.waits", data={"reason": reason}, reason=reason)


def refused(factory: Factory, task: Task, error: Exception) -> None:
    """A verified proposal cannot land: on the base of today it conflicts or is red.

    That is nobody's fault, so the agent proposes again at no charge. Trouble of the machine's is
    raised.
    """
    record = factory.queue.records[task.task_id]
    if trouble := of_machine(error):
        raise trouble from error
    if isinstance(error, AttemptFailed):
        stale(factory, task, record, error)
        return
    known = error if isinstance(error, AifactoryError) else factory.defect(error)
    failing.fail(factory, task, record.attempts, "land", known)


def stale(factory: Factory, task: Task, record: Record, error: AttemptFailed) -> None:
    """Put a task back for another proposal, unless that happened too often in a row."""
    told = error if isinstance(error, StaleBase) else _red_again(factory, error)
    if record.uncharged >= failing.MOST_UNCHARGED:
        failing.fail(factory, task, record.attempts, "land", told)
        return
    failure = Failure.of(told, "land")
    factory.queue.change(
        task.task_id,
        "proposal.stale",
        attempt=record.attempts,
        data={"reason": told.message},
        artifacts={f"gate-{record.attempts}.json": failing.evidence_of(failure, told)},
        pending=None,
        reason=told.message,
        uncharged=record.uncharged + 1,
    )


def _red_again(factory: Factory, error: AttemptFailed) -> StaleBase:
    where = factory.tip()[:12]
    told = StaleBase(
        f"verified on its own base, and red on {where}: {error.message}", evidence=error.evidence
    )
    told.commands = error.commands
    return told


def land_on_branches(factory: Factory, only: Collection[str] = ()) -> None:
    """Leave what is to land on a branch of its own there; the target stays as it is."""
    for record in factory.queue.in_state(State.READY):
        task = factory.queue.task(record.task_id)
        wanted = not only or task.task_id in only
        if wanted and mode(factory, task) == "branch":
            commit = record.pending or ""
            ref = f"refs/heads/aifactory/{task.task_id}"
            old = factory.repository.resolve(ref) or factory.repository.null
            if old != commit:
                factory.repository.update_refs({ref: (old, commit)})
            landed(factory, task, commit)


def closed(factory: Factory, record: Record, pull: PullRequest) -> None:
    """Somebody closed the pull request: they do not want it."""
    by = f" by {pull.closed_by}" if pull.closed_by else ""
    reason = f"pull request #{pull.number} was closed{by}"
    factory.queue.change(
        record.task_id,
        "pull.closed",
        attempt=record.attempts,
        data={"reason": reason, "url": pull.url},
        pending=None,
        reason=reason,
    )
    proposals.remove(factory.layout, record.task_id)


def landed(factory: Factory, task: Task, commit: str) -> None:
    reversal.tell(factory.queue, task, commit)
    factory.queue.change(
        task.task_id,
        "task.landed",
        attempt=factory.queue.records[task.task_id].attempts,
        data={"commit": commit},
        commit=commit,
        pending=None,
        failure=None,
        reason="",
    )
    proposals.remove(factory.layout, task.task_id)
