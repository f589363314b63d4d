"""An agent that asks a model once and applies the answer: the file in `prompts/` is all of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aifactory import edits
from aifactory.agents.base import Job, Question, Turn
from aifactory.leaks import is_secret_file
from aifactory.model import Change, Proposal, Task, sha256
from aifactory.paths import match
from aifactory.prompts import Prompt, fence
from aifactory.tree import GitTree

FILE_LIMIT = 200_000  # bytes of one file that a prompt shows
LISTED = 400  # paths that a prompt lists of the tree


class OneShot:
    def __init__(self, prompt: Prompt) -> None:
        self.name = prompt.name
        self.scope = prompt.settings.scope
        self.prompt = prompt

    def propose(self, job: Job) -> Proposal:
        answer = job.ask(self.question(job))
        parsed = edits.parse(
            answer.text, finish_reason=answer.finish_reason, format=self.prompt.settings.answer
        )
        changed = edits.apply(edits.expecting(parsed, job.task.files, job.tree), job.tree)
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

    def question(self, job: Job) -> Question:
        settings = self.prompt.settings
        text = self.prompt.render(**variables(job))
        marker = f"TASK-ID: {job.task.task_id}"
        # No text of the task's or of a file's may stand before it and name another task.
        if text.strip().partition("\n")[0] != marker:
            text = f"{marker}\n\n{text}"
        system = [{"role": "system", "content": settings.system}] if settings.system else []
        messages = [*system, {"role": "user", "content": text}, *conversation(job.history)]
        return Question(
            messages=tuple(messages),
            model=settings.model,
            parameters=dict(settings.parameters),
            prompt_sha256=self.prompt.sha256,
            budget=settings.budget,
        )


def conversation(history: Iterable[Turn]) -> Iterator[dict[str, Any]]:
    """Earlier attempts as turns of the talk: the model sees its own answer and the evidence."""
    for turn in history:
        yield {"role": "assistant", "content": turn.answer or "(no answer)"}
        yield {
            "role": "user",
            "content": f"Attempt {turn.attempt} was not accepted. What the checks said:"
            f"\n\n{fence(turn.evidence)}\n{turn.evidence}\n{fence(turn.evidence)}\n\n"
            "Nothing of it was kept: the files are as shown at first, if not said otherwise. "
            "Answer again, whole and in the same format.",
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


def variables(job: Job) -> dict[str, Any]:
    """What a template may use; `docs/agents.md` lists it."""
    paths = sorted(job.tree.paths())
    writable = [path for path in paths if match(job.task.files, path)] if job.task.files else []
    missing = [name for name in job.task.files if name not in writable and not is_glob(name)]
    context = [p for p in paths if match(job.task.context_files, p) and p not in writable]
    return {
        "task": job.task,
        "inputs": inputs(job.task),
        "rules": list(rules(job.task)),
        "attempt": job.attempt,
        "files": [shown(path, job.tree) for path in [*writable, *missing]],
        "context_files": [shown(path, job.tree) for path in context],
        "paths": paths[:LISTED],
        "paths_left_out": max(0, len(paths) - LISTED),
    }


def inputs(task: Task) -> str:
    """The task's inputs as JSON, empty when it has none."""
    return "" if task.inputs is None else json.dumps(task.inputs, ensure_ascii=False, indent=2)


def rules(task: Task) -> Iterator[str]:
    for rule in task.forbidden:
        yield rule if isinstance(rule, str) else f"Do not touch {rule.path}"


def is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[") or name.endswith("/")


def shown(path: str, tree: GitTree) -> dict[str, Any]:
    """One file for the prompt. What is too long, secret or no text is named, not shown."""
    data = tree.read(path)
    hidden = data is None or len(data) > FILE_LIMIT or b"\0" in data or is_secret_file(path)
    text = None if hidden else data
    return {
        "path": path,
        "exists": data is not None,
        "sha256": sha256(data or b""),
        "bytes": len(data or b""),
        "text": None if text is None else text.decode(errors="replace"),
    }
