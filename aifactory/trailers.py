"""The lines by which a landed task is known in the history of the target branch."""

from __future__ import annotations

import re

from aifactory.git import Repository

TASK_TRAILER = "Aifactory-Task"
ATTEMPT_TRAILER = "Aifactory-Attempt"
_TRAILER = re.compile(r"[A-Za-z0-9-]+: ")


def with_trailers(message: str, task_id: str, attempt: int) -> str:
    """The message, with the trailers by which a landed task is found again, if they are missing."""
    wanted = {TASK_TRAILER: task_id, ATTEMPT_TRAILER: str(attempt)}
    lines = message.rstrip().splitlines()
    missing = [f"{key}: {value}" for key, value in wanted.items() if f"{key}: {value}" not in lines]
    if not missing:
        return message
    paragraphs = message.rstrip().split("\n\n")
    ends = len(paragraphs) > 1 and all(map(_TRAILER.match, paragraphs[-1].splitlines()))
    return "\n".join(lines) + ("\n" if ends else "\n\n") + "\n".join(missing) + "\n"


def landed(
    repository: Repository, target: str, base: str, task_id: str, attempt: int | None = None
) -> str | None:
    """The commit of a task in `base..target`, found by its trailer, or None.

    Needs neither journal nor ledger: Git alone decides whether a task has landed.
    """
    tip = repository.resolve(target)
    if tip is None:
        return None
    known = bool(base) and repository.object(base) is not None
    keys = (TASK_TRAILER, ATTEMPT_TRAILER)
    values = "%x1f".join(f"%(trailers:key={key},valueonly,separator=%x1d)" for key in keys)
    found = repository.run(
        "log",
        f"--format=%H%x1f{values}%x1e",
        "--fixed-strings",
        f"--grep={TASK_TRAILER}: {task_id}",
        tip,
        *([f"^{base}"] if known else []),
    )
    for record in found.decode(errors="replace").split("\x1e"):
        commit, _, rest = record.strip("\n").partition("\x1f")
        tasks, _, attempts = rest.partition("\x1f")
        if task_id in tasks.split("\x1d") and attempt in (None, *_numbers(attempts)):
            return commit
    return None


def landed_tasks(repository: Repository, tip: str, base: str = "") -> dict[str, str]:
    """Every task that landed in `base..tip`, or in all of its history, with its last commit."""
    values = f"%(trailers:key={TASK_TRAILER},valueonly,separator=%x1d)"
    out = repository.run(
        "log",
        f"--format=%H%x1f{values}",
        "--fixed-strings",
        f"--grep={TASK_TRAILER}: ",
        tip,
        *([f"^{base}"] if base else []),
    )
    found: dict[str, str] = {}
    for line in out.decode(errors="replace").splitlines():
        commit, _, names = line.partition("\x1f")
        for name in filter(None, names.split("\x1d")):
            found.setdefault(name, commit)
    return found


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split("\x1d") if part.isdigit()]
