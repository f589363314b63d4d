"""An agent without a model: the owner's commands run on the workspace, what differs is proposed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from aifactory.agents.base import FileAgent, Job
from aifactory.agents.bench import Bench
from aifactory.agents.material import variables
from aifactory.errors import AnswerUnusable
from aifactory.gate.execution import evidence, outcome
from aifactory.model import Proposal, Work
from aifactory.paths import match
from aifactory.prompts import BrokenPrompt, Prompt

FILES = "{files}"


class Recipe(FileAgent):
    def __init__(self, prompt: Prompt) -> None:
        if not prompt.settings.commands:
            raise BrokenPrompt(f"{prompt.path}: front matter: kind recipe needs `commands`")
        super().__init__(prompt)

    def propose(self, job: Job) -> Proposal:
        work = job.do(1, lambda: self.work(job))
        if not work.changes:
            said = "\n".join(evidence(" ".join(one.argv), one) for one in work.commands)
            raise AnswerUnusable("the commands changed nothing", evidence=said)
        return Proposal(
            task_id=job.task.task_id,
            attempt=job.attempt,
            agent=self.name,
            prompt_sha256=self.prompt.sha256,
            summary=self.prompt.render(**variables(job, self.prompt.settings)).strip(),
            base=job.base,
            changes=work.changes,
        )

    def work(self, job: Job) -> Work:
        with job.bench() as bench:
            for command in self.commands(job):
                run(bench, command)
            changes, left = bench.changes()
        if left:
            told = "; ".join(f"{path!r} {why}" for path, why in left.items())
            raise AnswerUnusable(f"the commands left what cannot be proposed: {told}"[:1000])
        return Work(commands=tuple(bench.commands), changes=changes)

    def commands(self, job: Job) -> Iterator[str]:
        """The commands with `{files}`, a word of its own, as the files that the task is about."""
        about = job.task.files or ("**",)
        files = [
            path
            for path in sorted(job.tree.paths())
            if match(about, path) and (not self.scope or match(self.scope, path))
        ]
        for command in self.prompt.settings.commands:
            if FILES in shlex.split(command) and not files:
                raise AnswerUnusable(f"`{command}`: the task is about no file of this agent's")
            yield command.replace(FILES, shlex.join(files))


def run(bench: Bench, command: str) -> None:
    record = bench.run(command)
    if not record.ok:
        seconds = record.details["bounds"]["seconds"]
        failed = AnswerUnusable(
            f"`{command}` {outcome(record, seconds)}"[:1000], evidence=evidence(command, record)
        )
        failed.commands = tuple(bench.commands)
        raise failed
