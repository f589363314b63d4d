"""An agent that works step by step with tools; what differs in the end is the proposal.

Every answer and every step's work are recorded before they are used, so that a crash goes on from
there, and the same can be done again without model and commands.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Self

from aifactory.agents.base import FileAgent, Job, Question, Turn
from aifactory.agents.bench import Bench
from aifactory.agents.calls import Call, bounded, calls_of, fitted, told
from aifactory.agents.draft import Draft
from aifactory.agents.material import variables
from aifactory.agents.one_shot import opening
from aifactory.agents.servers import Servers
from aifactory.agents.toolbox import TOOLS, Toolbox
from aifactory.agents.trimming import Material, fitting
from aifactory.errors import AnswerUnusable, AttemptFailed, InvalidInput
from aifactory.mcp import ServerBroken
from aifactory.model import Answer, Change, Proposal, Work
from aifactory.prompts import fence

FINISH, FINISHED = "finish", "finished"
SAME = 3  # equal calls with equal results on equal files that end an attempt
LAST = 5  # steps before the end at which the model is told
PATCH = 20_000  # characters of an earlier attempt's change that are shown


class ToolLoop(FileAgent):
    def propose(self, job: Job) -> Proposal:
        with Session(self, job) as session:
            for step in range(1, self.prompt.settings.steps + 1):
                if session.take(step):
                    return session.proposal()
        raise AnswerUnusable(f"the work was not finished after {step} steps")


class Session:
    """One attempt: the talk, the files, and the workspace once something needs it."""

    def __init__(self, agent: ToolLoop, job: Job) -> None:
        self._agent, self._job = agent, job
        self._settings = agent.prompt.settings
        self._began_at = time.monotonic()
        self._draft = Draft(job.tree)
        self._stack = ExitStack()
        self._bench: Bench | None = None
        self._seen: Counter[tuple[str, ...]] = Counter()
        whole = Material(variables(job, self._settings), ())
        room = job.room(self._settings.model)
        material = fitting(whole, room, lambda less: tuple(opening(agent.prompt, job, less)))
        self._cut = material.cut
        self._talk = [*opening(agent.prompt, job, material), *earlier(job.history)]
        self._known = 0  # how much of the talk earlier questions held
        wanted, seconds = self._settings.servers, self._settings.seconds
        self._servers = Servers(wanted, seconds, self.bench)
        scopes = [job.task.files, agent.scope]
        self._toolbox = Toolbox(self._draft, self.bench, scopes, self._servers)
        self._prompt_sha256 = agent.prompt.sha256
        self._answer = Answer(text="")

    def __enter__(self) -> Self:
        if self._servers:
            try:
                listing = self._job.do(0, lambda: Work(told=self._servers.listing()))
            except BaseException:
                self.close()
                raise
            self._servers.learn(listing.told)
            self._prompt_sha256 = self._servers.pinned(self._prompt_sha256)
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End the servers, then give the workspace back."""
        try:
            self._servers.close()
        finally:
            self._stack.close()

    def bench(self) -> Bench:
        """The workspace, with the files as they are now."""
        if self._bench is None:
            self._bench = self._stack.enter_context(self._job.bench())
        self._bench.hold(self._draft.changes())
        return self._bench

    def take(self, step: int) -> bool:
        """Ask, do what is called, remember. Whether the work is finished."""
        if time.monotonic() - self._began_at > (most := self._settings.seconds):
            raise AnswerUnusable(f"the work was not finished after {most:g} seconds")
        self._answer = self._job.ask(self.question(step))
        calls = calls_of(self._answer, step)
        work = self._job.do(step, lambda: self.work(calls))
        for change in work.changes:
            self._draft.put(change)
        self._talk += told(self._answer, calls, work.told)
        self.look_for_circles(calls, work)
        return FINISHED in work.told

    def question(self, step: int) -> Question:
        left = self._settings.steps - step + 1
        hurry = [{"role": "user", "content": f"{left} steps are left."}] if left <= LAST else []
        talk = fitted([*self._talk, *hurry])
        new, self._known = talk[self._known :], len(self._talk)
        return Question(
            messages=tuple(talk),
            model=self._settings.model,
            parameters=dict(self._settings.parameters),
            prompt_sha256=self._prompt_sha256,
            budget=self._settings.budget,
            step=step,
            new=tuple(new),
            tools=tuple(declared({**TOOLS, **self._servers.declared})),
            cut=self._cut if step == 1 else (),
        )

    def work(self, calls: Sequence[Call]) -> Work:
        results: list[str] = []
        changes: list[Change] = []
        before = len(self._bench.commands) if self._bench else 0
        for call in calls:
            result, altered = self.do(call)
            results.append(bounded(result))
            changes += altered
        commands = self._bench.commands[before:] if self._bench else []
        return Work(commands=tuple(commands), changes=tuple(changes), told=tuple(results))

    def do(self, call: Call) -> tuple[str, tuple[Change, ...]]:
        """One call; what went wrong is for the model to hear."""
        try:
            if call.name == FINISH:
                if not self._draft.changes():
                    raise AnswerUnusable("nothing was changed yet")
                self._job.check(self.proposal())
                return FINISHED, ()
            return self._toolbox.call(call.name, call.arguments)
        except ServerBroken:
            raise
        except (AttemptFailed, InvalidInput) as error:
            return refused(error), ()

    def proposal(self) -> Proposal:
        finish = [one for one in calls_of(self._answer, 0) if one.name == FINISH]
        summary = finish[-1].arguments.get("summary", "") if finish else ""
        return Proposal(
            task_id=self._job.task.task_id,
            attempt=self._job.attempt,
            agent=self._agent.name,
            model=self._answer.model,
            prompt_sha256=self._prompt_sha256,
            summary=str(summary),
            base=self._job.base,
            changes=self._draft.changes(),
        )

    def look_for_circles(self, calls: Sequence[Call], work: Work) -> None:
        state = self._draft.digest()
        made = [(one.name, one.text, said) for one, said in zip(calls, work.told, strict=True)]
        for call in made or [("", "", "")]:
            self._seen[(*call, state)] += 1
            if self._seen[(*call, state)] >= SAME:
                what = f"{call[0]} {call[1]}"[:200] if calls else "an answer without a call"
                raise AnswerUnusable(f"goes in circles: {what}, {SAME} times with the same result")


def refused(error: AttemptFailed | InvalidInput) -> str:
    """What a model is told of a call that cannot be done, with what it may do instead."""
    if not isinstance(error, AttemptFailed):
        return f"error: {error.message}"
    told = "; next: ".join(filter(None, [f"error: {error.message}", error.next_step]))
    return told if error.evidence in error.message else f"{told}\n\n{error.evidence}"


def declared(tools: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, tool in tools.items():
        yield {"type": "function", "function": {"name": name, **tool}}


def earlier(history: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    """Earlier attempts, with what they changed and why that did not do."""
    for turn in history:
        shown = [("It changed:", bounded(turn.patch, PATCH))] if turn.patch else []
        parts = [*shown, ("What the checks said:", turn.evidence)]
        texts = [f"{head}\n\n{fence(text)}\n{text}\n{fence(text)}" for head, text in parts]
        said = f"Attempt {turn.attempt} was not accepted, and nothing of it was kept."
        yield {"role": "user", "content": "\n\n".join([said, *texts])}
