"""An agent that asks a model once and applies the answer: the file in `prompts/` is all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from aifactory import edits
from aifactory.agents.base import FileAgent, Job, Question, Turn
from aifactory.agents.material import applied, variables
from aifactory.agents.trimming import Material, Messages, fitting
from aifactory.model import Answer, Change, Proposal, sha256
from aifactory.prompts import Prompt, fence
from aifactory.tree import GitTree


class OneShot(FileAgent):
    def propose(self, job: Job) -> Proposal:
        answer = self.ask(job)
        parsed = edits.parse(
            answer.text, finish_reason=answer.finish_reason, format=self.prompt.settings.answer
        )
        changed = applied(edits.expecting(parsed, job.task.files, job.tree), job.tree)
        return Proposal(
            task_id=job.task.task_id,
            attempt=job.attempt,
            agent=self.name,
            model=answer.model,
            prompt_sha256=self.prompt.sha256,
            summary=parsed.summary,
            base=job.base,
            changes=tuple(changes_of(changed, parsed.modes, job.tree)),
        )

    def ask(self, job: Job) -> Answer:
        return job.ask(self.question(job))

    def question(self, job: Job) -> Question:
        settings = self.prompt.settings
        whole = Material(variables(job, settings), job.history)
        material = fitting(whole, job.room(settings.model), partial(messages, self.prompt, job))
        return Question(
            messages=messages(self.prompt, job, material),
            model=settings.model,
            parameters=dict(settings.parameters),
            prompt_sha256=self.prompt.sha256,
            budget=settings.budget,
            cut=material.cut,
        )


def messages(prompt: Prompt, job: Job, material: Material) -> Messages:
    """All that a model is sent."""
    return (*opening(prompt, job, material), *conversation(material.history))


def opening(prompt: Prompt, job: Job, material: Material) -> Iterator[dict[str, Any]]:
    """What a model is told first: who it is, and the task."""
    text = prompt.render(**material.values) + material.note
    marker = f"TASK-ID: {job.task.task_id}"
    # No text of the task's or of a file's may stand before it and name another task.
    if text.strip().partition("\n")[0] != marker:
        text = f"{marker}\n\n{text}"
    if prompt.settings.system:
        yield {"role": "system", "content": prompt.settings.system}
    yield {"role": "user", "content": text}


def conversation(history: Iterable[Turn]) -> Iterator[dict[str, Any]]:
    """Earlier attempts as turns of the talk: the model sees its own answer and the evidence."""
    for turn in history:
        yield {"role": "assistant", "content": turn.answer or "(no answer)"}
        yield {
            "role": "user",
            "content": f"Attempt {turn.attempt} was not accepted. What the checks said:"
            f"\n\n{fence(turn.evidence)}\n{turn.evidence}\n{fence(turn.evidence)}\n\n"
            "Nothing of it was kept: the files are as shown at first, if not said otherwise. "
            "Answer again with all of the change, in a format that was asked for.",
        }


def changes_of(
    changed: Mapping[str, bytes | None], modes: Mapping[str, str], tree: GitTree
) -> Iterator[Change]:
    """The changes of contents and of modes; a mode may change alone."""
    alone = {path: tree.read(path) for path in modes if path not in changed}
    for path, content in sorted({**alone, **changed}.items()):
        before = tree.read(path)
        kept = tree.mode(path) if before is not None else "100644"
        yield Change.model_validate(
            {
                "path": path,
                "content": content,
                "mode": modes.get(path, kept),
                "base_sha256": None if before is None else sha256(before),
            }
        )
