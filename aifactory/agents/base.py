"""What an agent is given, and what it gives back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from aifactory.agents.bench import Bench
from aifactory.model import Answer, Budget, Proposal, Task, Work
from aifactory.prompts import Prompt
from aifactory.tree import GitTree


@dataclass(frozen=True)
class Turn:
    """An earlier attempt at the same task: what was answered, and why it did not do.

    `patch` is the change that it came to, "" where it came to none.
    """

    attempt: int
    answer: str
    evidence: str
    patch: str = ""


@dataclass(frozen=True)
class Question:
    """What one attempt asks of a model. `prompt_sha256` pins the agent's file.

    `step` counts the questions of an attempt, `new` are those of the messages that earlier ones
    did not hold (empty: all), `tools` what the model may call, in the form of OpenAI's API. `stop`
    cuts the call. A question without a step (0) is known by its `digest`: the same one was asked
    before a crash, or it is the next.
    """

    messages: tuple[dict[str, Any], ...]
    model: str | None
    parameters: Mapping[str, Any]
    prompt_sha256: str
    budget: Budget
    step: int = 1
    new: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    cut: tuple[str, ...] = ()  # what the prompt leaves out to fit the model
    digest: str = ""
    stop: threading.Event | None = None


class Doer(Protocol):
    """The way to work that is not done twice: a step of an attempt that is recorded is not made."""

    def __call__(self, step: int, make: Callable[[], Work]) -> Work: ...


class Checker(Protocol):
    """Raises ScopeViolation or PolicyDenied for a proposal that may not be made."""

    def __call__(self, proposal: Proposal) -> None: ...


class Bencher(Protocol):
    """The way to a workspace with the job's base, leased until the end of the block."""

    def __call__(self) -> AbstractContextManager[Bench]: ...


class Asker(Protocol):
    """The way to a model, or to a person: within the budget, recorded before and after."""

    def __call__(self, question: Question) -> Answer: ...


@dataclass(frozen=True)
class Job:
    """One attempt at a task: the tree it starts from, what came before, the ways to an answer.

    `said` is what people told the task while it waited for them, oldest first; `room` gives the
    most tokens of a prompt to the model that an agent names, None where nobody knows.
    """

    task: Task
    attempt: int
    base: str
    tree: GitTree
    history: tuple[Turn, ...]
    ask: Asker
    ask_person: Asker
    do: Doer
    bench: Bencher
    check: Checker
    said: tuple[str, ...] = ()
    room: Callable[[str | None], int | None] = lambda model: None


def label(attempt: int, step: int) -> str:
    """How the artifacts of a step are called: `3`, and from the second step on `3-2`."""
    return str(attempt) if step == 1 else f"{attempt}-{step}"


class FileAgent:
    """What agents that ship have of their file."""

    protocol = 1

    def __init__(self, prompt: Prompt) -> None:
        self.name = prompt.name
        self.scope = prompt.settings.scope
        self.prompt = prompt


class Agent(Protocol):
    """Who does the work. Raises the errors of `aifactory.errors`; each has its failure class."""

    name: str
    scope: tuple[str, ...]

    def propose(self, job: Job) -> Proposal: ...
