"""The ways of a job for the tests of agents: answers from a list, steps done at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from aifactory.agents.base import Job, Question, Turn
from aifactory.agents.bench import Bench
from aifactory.model import Answer, Task, Work
from aifactory.tree import GitTree


@dataclass
class FakeWays:
    """Gives the answers in order, to models' and persons' questions alike; the last one repeats.

    `questions` holds what was asked.
    """

    answers: Sequence[str | Answer] = ()
    workspace: Bench | None = None
    questions: list[Question] = field(default_factory=list)

    def ask(self, question: Question) -> Answer:
        answer = self.answers[min(len(self.questions), len(self.answers) - 1)]
        self.questions.append(question)
        return Answer(text=answer, model="fake") if isinstance(answer, str) else answer

    def do(self, step: int, make: Callable[[], Work]) -> Work:
        return make()

    def bench(self) -> AbstractContextManager[Bench]:
        assert self.workspace is not None, "this job has no workspace"
        return nullcontext(self.workspace)

    def job(self, task: Task, tree: GitTree, *history: Turn) -> Job:
        """The attempt after `history`, on the commit that `tree` is of."""
        return Job(
            task=task,
            attempt=len(history) + 1,
            base=tree.commit,
            tree=tree,
            history=history,
            ask=self.ask,
            ask_person=self.ask,
            do=self.do,
            bench=self.bench,
            check=lambda proposal: None,
        )
