"""What an agent is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aifactory.model import Answer, Budget, Proposal, Task
from aifactory.tree import GitTree


@dataclass(frozen=True)
class Turn:
    """An earlier attempt at the same task: what was answered, and why it did not do."""

    attempt: int
    answer: str
    evidence: str


@dataclass(frozen=True)
class Question:
    """What one attempt asks of a model. `prompt_sha256` pins the agent's file."""

    messages: tuple[dict[str, Any], ...]
    model: str | None
    parameters: Mapping[str, Any]
    prompt_sha256: str
    budget: Budget


class Asker(Protocol):
    """The way to a model, or to a person: within the budget, recorded before and after."""

    def __call__(self, question: Question) -> Answer: ...


@dataclass(frozen=True)
class Job:
    """One attempt at a task: the tree it starts from, what came before, the ways to an answer.

    `said` is what people told the task while it waited for them, oldest first.
    """

    task: Task
    attempt: int
    base: str
    tree: GitTree
    history: tuple[Turn, ...]
    ask: Asker
    ask_person: Asker
    said: tuple[str, ...] = ()


class Agent(Protocol):
    """Who does the work. Raises the errors of `aifactory.errors`; each has its failure class."""

    name: str
    scope: tuple[str, ...]

    def propose(self, job: Job) -> Proposal: ...
