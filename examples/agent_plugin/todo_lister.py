"""An agent without a model: collects the TODO comments of a repository in one file."""

from __future__ import annotations

from collections.abc import Iterator

from aifactory.agents import PROTOCOL, Draft, Job
from aifactory.model import Proposal
from aifactory.prompts import Prompt


class TodoLister:
    protocol = PROTOCOL

    def __init__(self, prompt: Prompt) -> None:
        self.name = prompt.name
        self.scope = prompt.settings.scope
        self.prompt = prompt
        self.file = str(prompt.settings.options.get("file", "TODO.md"))

    def propose(self, job: Job) -> Proposal:
        draft = Draft(job.tree)
        text = "\n".join(["# Left to do", "", *self.found(job)]) + "\n"
        draft.write(self.file, text.encode())
        return Proposal(
            task_id=job.task.task_id,
            attempt=job.attempt,
            agent=self.name,
            prompt_sha256=self.prompt.sha256,
            summary=f"Say in {self.file} what is left to do",
            base=job.base,
            changes=draft.changes(),
        )

    def found(self, job: Job) -> Iterator[str]:
        for path in sorted(job.tree.paths()):
            lines = (job.tree.read(path) or b"").decode(errors="replace").splitlines()
            for number, line in enumerate(lines, 1):
                if "TODO:" in line and path != self.file:
                    yield f"- {path}:{number}: {line.partition('TODO:')[2].strip()}"
