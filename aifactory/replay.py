"""What a task did, done again from its recorded answers: no model, no command, the same tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aifactory import agents, landing, proposals
from aifactory.agents import Job, Question
from aifactory.errors import AifactoryError, InvalidInput
from aifactory.git import Repository
from aifactory.layout import Layout
from aifactory.ledger import WRITER, Ledger
from aifactory.model import Answer, Proposal
from aifactory.prompts import Prompts
from aifactory.tree import GitTree


class NothingRecorded(InvalidInput):
    remedy = "`aifactory artifacts TASK` lists what was kept of a task"


@dataclass(frozen=True)
class Replayed:
    """One attempt: the tree that its proposal made then, and the one that its answer makes now."""

    attempt: int
    recorded: str
    replayed: str
    problem: str = ""

    @property
    def same(self) -> bool:
        return self.recorded == self.replayed


def replay(repository: Repository, layout: Layout, task_id: str) -> list[Replayed]:
    """Every attempt of a task that came to a proposal, made again from its recorded answer."""
    ledger = Ledger(repository)
    found = [
        replay_one(repository, layout, ledger, proposal) for proposal in recorded(ledger, task_id)
    ]
    if not found:
        raise NothingRecorded(f"{task_id}: no attempt came to a proposal")
    return found


def recorded(ledger: Ledger, task_id: str) -> Iterator[Proposal]:
    history = ledger.find(task_id)
    if history is None:
        raise NothingRecorded(f"there is no task {task_id!r}")
    for number in range(1, history.record.attempts + 1):
        if data := ledger.artifact(task_id, f"proposal-{number}.json"):
            yield proposals.from_json(data)


def replay_one(
    repository: Repository, layout: Layout, ledger: Ledger, proposal: Proposal
) -> Replayed:
    then = tree_of(repository, layout, proposal)
    try:
        again = propose(repository, layout, ledger, proposal)
        return Replayed(proposal.attempt, then, tree_of(repository, layout, again))
    except AifactoryError as error:
        return Replayed(proposal.attempt, then, "", error.message)


def propose(repository: Repository, layout: Layout, ledger: Ledger, proposal: Proposal) -> Proposal:
    """Let the agent propose again, its recorded answer in place of a model."""
    task = ledger.task(proposal.task_id)
    data = ledger.artifact(proposal.task_id, f"response-{proposal.attempt}.json")
    if task is None or data is None:
        raise NothingRecorded(f"attempt {proposal.attempt}: its answer was not kept")
    answer = Answer.model_validate_json(data)

    def ask(question: Question) -> Answer:
        return answer

    tree = GitTree(repository, proposal.base)
    job = Job(task, proposal.attempt, proposal.base, tree, (), ask, ask)
    return agents.find(proposal.agent, Prompts(layout)).propose(job)


def tree_of(repository: Repository, layout: Layout, proposal: Proposal) -> str:
    """The tree of a proposal on its base, built in quarantine and thrown away."""
    candidate = landing.prepare(
        repository,
        layout,
        proposal,
        target="refs/heads/replay",
        message="replay",
        author=WRITER,
        committer=WRITER,
        at=0,
    )
    landing.discard(candidate)
    return candidate.tree
