"""What an agent's template may use: the task, its files, the paths of the repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aifactory import edits
from aifactory.agents.base import Job
from aifactory.edits import Edits, Tree
from aifactory.errors import EditRefused
from aifactory.leaks import is_secret_file
from aifactory.model import Task, sha256
from aifactory.paths import match, wild
from aifactory.prompts import Settings
from aifactory.tree import GitTree

FILE_LIMIT = 200_000  # bytes of one file that a prompt shows
LISTED = 400  # paths that a prompt lists of the tree


def variables(job: Job, settings: Settings) -> dict[str, Any]:
    """What a template may use; `docs/agents.md` lists it."""
    paths = sorted(job.tree.paths())
    writable = [path for path in paths if match(job.task.files, path)] if job.task.files else []
    named = (name for name in job.task.files if not wild(name) and not name.endswith("/"))
    missing = [name for name in named if name not in writable]
    context = [p for p in paths if match(job.task.context_files, p) and p not in writable]
    return {
        "task": job.task,
        "inputs": inputs(job.task),
        "rules": list(rules(job.task)),
        "attempt": job.attempt,
        "answer": settings.answer,
        "said": list(job.said),
        "files": [shown(path, job.tree) for path in [*writable, *missing]],
        "context_files": [shown(path, job.tree) for path in context],
        "paths": paths[:LISTED],
        "paths_left_out": max(0, len(paths) - LISTED),
    }


def applied(answer: Edits, tree: Tree) -> dict[str, bytes | None]:
    """`edits.apply` for a model, which is not told what it met in a file that it is not shown."""
    try:
        return edits.apply(answer, tree)
    except EditRefused:
        secret = next(filter(is_secret_file, answer.paths), None)
        if secret is None:
            raise
        raise EditRefused(
            f"{secret}: the answer cannot be carried out, and no model is shown what is in this "
            "file",
            next_step="leave the file out, or give its full new text",
        ) from None


def inputs(task: Task) -> str:
    """The task's inputs as JSON, empty when it has none."""
    return "" if task.inputs is None else json.dumps(task.inputs, ensure_ascii=False, indent=2)


def rules(task: Task) -> Iterator[str]:
    for rule in task.forbidden:
        yield rule if isinstance(rule, str) else f"Do not touch {rule.path}"


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
