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


def landed_tasks(repository: Repository, tip: str, base: str = "") -> dict[str, str]:
    """Every task that landed in `base..tip`, with its last commit there, found by its trailer.

    Needs neither journal nor ledger: Git alone decides whether a task has landed. Of an unborn
    target (`""`) nothing has.
    """
    if not tip:
        return {}
    values = f"%(trailers:key={TASK_TRAILER},valueonly,separator=%x1d)"
    out = repository.run(
        "log",
        f"--format=%H%x1f{values}",
        "--fixed-strings",
        f"--grep={TASK_TRAILER}: ",
        tip,
        *_without(repository, base),
    )
    found: dict[str, str] = {}
    for line in out.decode(errors="replace").splitlines():
        commit, _, names = line.partition("\x1f")
        for name in filter(None, names.split("\x1d")):
            found.setdefault(name, commit)
    return found


def _without(repository: Repository, base: str) -> list[str]:
    """What leaves the history of `base` out; nothing is left out where there is no such commit."""
    return [f"^{base}"] if base and repository.object(base) else []
