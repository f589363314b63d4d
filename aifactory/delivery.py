"""A verified task lands: as one commit on the target branch, or on a branch of its own."""

from __future__ import annotations

from aifactory import failing, landing, proposals, verification
from aifactory.enduring import of_machine
from aifactory.errors import (
    AifactoryError,
    Cancelled,
    EnvironmentUnusable,
    Interrupted,
    StaleBase,
)
from aifactory.factory import Factory
from aifactory.model import Failure, Record, State, Task


def land(factory: Factory, task_id: str) -> None:
    """Land a verified task; when the target has moved, judge its change again on the new tip."""
    task = factory.queue.task(task_id)
    while (record := factory.queue.records[task_id]).state is State.READY:
        try:
            outcome = land_once(factory, task, record)
        except StaleBase as error:
            stale(factory, task, record, error)
        except (Cancelled, Interrupted):
            return
        except EnvironmentUnusable:
            raise  # it may have landed: the task stays as it is until Git can be asked
        except AifactoryError as error:
            failing.fail(factory, task, record.attempts, "land", error)
        except Exception as error:
            if trouble := of_machine(error):
                raise trouble from error
            failing.fail(factory, task, record.attempts, "land", factory.defect(error))
        else:
            if settled(factory, task, record, outcome):
                return


def settled(factory: Factory, task: Task, record: Record, outcome: landing.Outcome) -> bool:
    """Record what came of a landing. Whether nothing more is to be done for this task now."""
    match outcome:
        case landing.Landed(commit):
            landed(factory, task, commit)
        case landing.Waiting(reason):
            if reason != record.reason:
                factory.queue.change(
                    task.task_id, "landing.waits", data={"reason": reason}, reason=reason
                )
        case landing.Moved(tip):
            factory.stream.emit("landing.moved", task.task_id, record.attempts, tip=tip)
            return False
    return True


def land_once(factory: Factory, task: Task, record: Record) -> landing.Outcome:
    """Land, or find why not; where the target has moved, the change is judged again."""
    candidate = landing.reopened(
        factory.repository,
        factory.layout,
        record.pending or "",
        target=factory.target,
        task_id=task.task_id,
        attempt=record.attempts,
    )
    mode = task.land or factory.config.land.mode
    if mode == "branch":
        land_on_branch(factory, candidate)
        return landing.Landed(candidate.commit)
    if candidate.base != (tip := factory.tip()):
        judge_again(factory, task, record)
        return landing.Moved(tip)
    return factory.lander.land(candidate)


def judge_again(factory: Factory, task: Task, record: Record) -> None:
    """Rebase the proposal on the tip of the target and run the gate on that exact tree."""
    data = factory.ledger.artifact(task.task_id, f"proposal-{record.attempts}.json")
    proposal = proposals.from_json(data or b"")
    candidate = verification.candidate_of(factory, task, verification.on_tip(factory, proposal))
    try:
        result = verification.judge(factory, task, candidate, factory.stop_of(task.task_id))
        landing.publish(factory.repository, candidate)
        factory.queue.change(
            task.task_id,
            "proposal.verified",
            attempt=record.attempts,
            data={"commit": candidate.commit, "tree": candidate.tree, "again": True},
            artifacts=verification.gate_artifacts(record.attempts, result),
            keep=[candidate.commit],
            pending=candidate.commit,
        )
    finally:
        landing.discard(candidate)


def stale(factory: Factory, task: Task, record: Record, error: StaleBase) -> None:
    """The target changed under the proposal: the agent proposes again, at no charge."""
    failure = Failure.of(error, "land")
    factory.queue.change(
        task.task_id,
        "proposal.stale",
        attempt=record.attempts,
        data={"reason": error.message},
        artifacts={f"gate-{record.attempts}.json": failing.evidence_of(failure, error)},
        pending=None,
        reason=error.message,
    )


def land_on_branch(factory: Factory, candidate: landing.Candidate) -> None:
    """Leave the commit on a branch of the task's own; the target stays as it is."""
    ref = f"refs/heads/aifactory/{candidate.task_id}"
    old = factory.repository.resolve(ref) or factory.repository.null
    if old != candidate.commit:
        factory.repository.update_refs({ref: (old, candidate.commit)})


def landed(factory: Factory, task: Task, commit: str) -> None:
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
