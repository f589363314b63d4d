"""One attempt at a task, from stage to stage; and what a restart finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache, partial

from aifactory import (
    agents,
    delivery,
    failing,
    gate,
    handover,
    holds,
    landing,
    proposals,
    reviewers,
    reviewing,
    signing,
    verification,
)
from aifactory.agents import Job, Turn
from aifactory.asking import Recorded, room
from aifactory.doing import Benches, Steps
from aifactory.enduring import of_machine
from aifactory.errors import (
    AifactoryError,
    AnswerUnusable,
    Cancelled,
    FailureClass,
    InputNeeded,
    Interrupted,
)
from aifactory.factory import Factory
from aifactory.files import SyncFailed
from aifactory.gate import GateResult
from aifactory.model import Proposal, Record, State, Task, now
from aifactory.trailers import landed_tasks
from aifactory.tree import GitTree

BREAKS_OFF = (
    FailureClass.MODEL_TRANSIENT,
    FailureClass.ENVIRONMENT,
    FailureClass.BUDGET_EXHAUSTED,
    FailureClass.DEADLINE,
)
LANDABLE = (State.QUEUED, State.RUNNING, State.READY, State.CANCELLED)


def attempt(factory: Factory, task_id: str) -> None:
    """One try of an agent at a task: ends verified, failed, or put back."""
    task = factory.queue.task(task_id)
    number, base = begin(factory, task)
    stage = Stage("agent")
    try:
        verify(factory, task, number, base, stage)
    except (Cancelled, Interrupted):
        put_back(factory, task, number)
    except InputNeeded as needed:
        handover.request(factory, task, number, needed)
    except SyncFailed:
        raise
    except AifactoryError as error:
        failing.fail(factory, task, number, stage.name, error)
    except Exception as error:
        told = of_machine(error) or factory.defect(error)
        failing.fail(factory, task, number, stage.name, told)


class Stage:
    """Where an attempt is, so that a failure can say so."""

    def __init__(self, name: str) -> None:
        self.name = name


def begin(factory: Factory, task: Task) -> tuple[int, str]:
    """Start an attempt; gives its number and the commit that it starts on.

    One whose answer is recorded but not judged is gone on with, where it started. A broken gate
    judges nothing, nor does a provider or a machine in trouble.
    """
    record = factory.queue.records[task.task_id]
    history = factory.ledger.find(task.task_id)
    names = history.artifacts if history else {}
    last = record.attempts
    judged = f"gate-{last}.json" in names and not (holds.held(record) or broken_off(record))
    begun = any(f"{kind}-{last}.json" in names for kind in ("response", "work"))
    resumed = begun and not judged
    number = last if resumed else last + 1
    base = base_of(factory, task.task_id, number) if resumed else factory.tip()
    factory.queue.change(
        task.task_id,
        "attempt.started",
        attempt=number,
        data={"agent": agent_of(factory, task), "resumed": resumed, "base": base},
        attempts=number,
        agent=agent_of(factory, task),
        started_at=record.started_at or now(),
        reason="",
    )
    return number, base


def broken_off(record: Record) -> bool:
    """Whether the last attempt ended before it came to a proposal, through no fault of its own."""
    return record.failure is not None and record.failure.failure_class in BREAKS_OFF


def base_of(factory: Factory, task_id: str, number: int) -> str:
    """The commit that an attempt started on: its answer is about the files as they were then."""
    for event in reversed(factory.ledger.events(task_id)):
        if event.name == "attempt.started" and event.attempt == number:
            known = str(event.data.get("base", ""))
            return known if factory.repository.resolve(known) else factory.tip()
    return factory.tip()


def agent_of(factory: Factory, task: Task) -> str:
    return task.assignee or factory.config.agents.default


def verify(factory: Factory, task: Task, number: int, base: str, stage: Stage) -> None:
    """Agent, proposal, gate: what comes out is verified and waits to land."""
    tree = GitTree(factory.repository, base)
    gate.check_preconditions(factory.repository, tree.commit, task)
    gate.check_programs(task, factory.config.policy.commands)
    agent = agents.find(agent_of(factory, task), factory.prompts, factory.kinds)
    signing.check(factory.config.land, agent.name)
    reviewers.check_author(agent.name, factory.config, factory.prompts)
    stop = factory.stop_of(task.task_id)
    job = Job(
        task=task,
        attempt=number,
        base=tree.commit,
        tree=tree,
        history=tuple(turns(factory, task.task_id, number)),
        ask=Recorded(factory, task, agent.name, number, stop),
        ask_person=handover.Person(factory, task, number),
        do=Steps(factory, task.task_id, number),
        bench=Benches(factory, task, number, tree, stop),
        check=partial(verification.check_scope, factory, task, agent),
        said=handover.said(factory, factory.queue.records[task.task_id]),
        room=partial(room, factory),
    )
    proposal = agents.proposed(agent, job)
    stage.name = "proposal"
    verification.check_scope(factory, task, agent, proposal)
    candidate = verification.candidate_of(factory, task, verification.on_tip(factory, proposal))
    try:
        if not candidate.changed:
            raise AnswerUnusable("the answer changes nothing: every file is already as it says")
        patch = verification.patch_of(candidate)
        record_proposal(factory, task, proposal, patch)
        stage.name = "gate"
        result = verification.judge(factory, task, candidate, stop)
        stage.name = "review"
        result = reviewing.reviewed(factory, task, proposal, patch, result, stop)
        accept(factory, task, candidate, result)
    finally:
        landing.discard(candidate)


def turns(factory: Factory, task_id: str, before: int) -> Iterator[Turn]:
    """Earlier attempts that were judged, with what they answered and why that did not do."""
    for number in range(1, before):
        answer = factory.ledger.artifact(task_id, f"response-{number}.json")
        verdict = factory.ledger.artifact(task_id, f"gate-{number}.json")
        if answer is not None and verdict is not None:
            patch = factory.ledger.artifact(task_id, f"proposal-{number}.patch") or b""
            text, shown = json.loads(answer)["text"], patch.decode(errors="replace")
            yield Turn(number, text, failing.told(json.loads(verdict)), shown)


def record_proposal(factory: Factory, task: Task, proposal: Proposal, patch: bytes) -> None:
    number = proposal.attempt
    factory.queue.note(
        task.task_id,
        "proposal.written",
        attempt=number,
        data={"files": [change.path for change in proposal.changes], "digest": proposal.digest},
        artifacts={
            f"proposal-{number}.json": proposals.to_json(proposal),
            f"proposal-{number}.patch": patch,
        },
    )
    proposals.write(factory.layout, proposal, patch)


def accept(factory: Factory, task: Task, candidate: landing.Candidate, result: GateResult) -> None:
    """Publish a verified candidate; it lands next, or when a person says so."""
    landing.publish(factory.repository, candidate)
    mode = delivery.mode(factory, task)
    factory.queue.change(
        task.task_id,
        "approval.requested" if mode == "approve" else "proposal.verified",
        attempt=candidate.attempt,
        data={"commit": candidate.commit, "tree": candidate.tree},
        artifacts=verification.gate_artifacts(candidate.attempt, result),
        keep=[candidate.commit],
        pending=candidate.commit,
        failure=None,
        reason="waits for `aifactory approve`" if mode == "approve" else "",
    )


def put_back(factory: Factory, task: Task, number: int) -> None:
    """The run stops, or the task was cancelled: leave it as if the attempt had not begun."""
    record = factory.queue.records[task.task_id]
    if record.state is State.RUNNING:
        factory.queue.change(task.task_id, "attempt.interrupted", attempt=number)


def resume(factory: Factory, busy: Collection[str] = ()) -> None:
    """Bring every task that nothing runs for to what Git says, however the work on it ended."""
    handover.show_again(factory)
    landed_since = cache(partial(landed_tasks, factory.repository, factory.tip()))
    for task_id, record in list(factory.queue.records.items()):
        if task_id in busy:
            continue
        if commit := landed(record, landed_since):
            delivery.landed(factory, factory.queue.task(task_id), commit)
        elif record.state is State.RUNNING:
            factory.queue.change(task_id, "attempt.interrupted", attempt=record.attempts)


def landed(record: Record, since: Callable[[str], Mapping[str, str]]) -> str | None:
    """The commit of a task that landed though its record does not say so yet.

    One that was cancelled may be among them: the wish came when its commit was under way.
    """
    if record.state not in LANDABLE or record.attempts == 0:
        return None
    return since(record.base).get(record.task_id)
