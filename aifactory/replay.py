"""What a task did, done again from its recorded answers: no model, no command, the same tree."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from aifactory import agents, config, landing, proposals
from aifactory.agents import Bench, Job, Kinds, Question, label
from aifactory.errors import AifactoryError, InvalidInput
from aifactory.git import Repository
from aifactory.layout import Layout
from aifactory.ledger import WRITER, Ledger
from aifactory.model import Answer, Proposal, Work
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
    """Every attempt of a task that was answered, made again from what is recorded.

    One that came to no tree then has none to compare; `problem` says what was wrong with it.
    """
    ledger = Ledger(repository)
    history = ledger.find(task_id)
    if history is None:
        raise NothingRecorded(f"there is no task {task_id!r}")
    found = []
    for number in range(1, history.record.attempts + 1):
        if data := ledger.artifact(task_id, f"proposal-{number}.json"):
            found.append(replay_one(repository, layout, ledger, proposals.from_json(data)))
        elif f"response-{number}.json" in history.artifacts:
            found.append(
                Replayed(number, "", "", f"came to no tree: {why(ledger, task_id, number)}")
            )
    if not found:
        raise NothingRecorded(f"{task_id}: no attempt was answered")
    return found


def why(ledger: Ledger, task_id: str, number: int) -> str:
    """The class of failure that an attempt ended with."""
    told = json.loads(ledger.artifact(task_id, f"gate-{number}.json") or b"{}")
    return str((told.get("failure") or {}).get("class", "it was not judged"))


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
    """Let the agent propose again, what is recorded in place of a model and of commands."""
    task = ledger.task(proposal.task_id)
    if task is None:
        raise NothingRecorded(f"{proposal.task_id}: its task was not kept")
    recording = Recording(ledger, proposal.task_id, proposal.attempt)
    job = Job(
        task=task,
        attempt=proposal.attempt,
        base=proposal.base,
        tree=GitTree(repository, proposal.base),
        history=(),
        ask=recording.ask,
        ask_person=recording.ask,
        do=recording.do,
        bench=recording.bench,
        check=lambda proposal: None,
    )
    settings = config.load(repository.root, environ=os.environ)
    kinds = Kinds.of(settings.agents, repository.root)
    return agents.find(proposal.agent, Prompts(layout), kinds).propose(job)


@dataclass(frozen=True)
class Recording:
    """What was said and done in one attempt."""

    ledger: Ledger
    task_id: str
    attempt: int

    def ask(self, question: Question) -> Answer:
        name = f"response-{label(self.attempt, question.step)}.json"
        return Answer.model_validate_json(self._kept(name))

    def do(self, step: int, make: Callable[[], Work]) -> Work:
        return Work.model_validate_json(self._kept(f"work-{label(self.attempt, step)}.json"))

    def bench(self) -> AbstractContextManager[Bench]:
        raise NothingRecorded(f"attempt {self.attempt}: it worked on, which was not kept")

    def _kept(self, name: str) -> bytes:
        data = self.ledger.artifact(self.task_id, name)
        if data is None:
            raise NothingRecorded(f"attempt {self.attempt}: {name} was not kept")
        return data


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
