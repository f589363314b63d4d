"""`aifactory diff`: the change that a task puts forward or has landed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aifactory.cli.options import Json, Repo, TaskId
from aifactory.errors import InvalidInput

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.ledger import History


def diff(task: TaskId, repo: Repo = None, json: Json = False) -> None:
    """Print the patch of a task: what landed, else its last proposal."""
    from aifactory.cli.output import print_json, print_raw
    from aifactory.cli.place import opened

    with opened(repo) as place:
        history = place.find(task)
        patch = _landed(place, history) or _proposed(place, history)
    if patch is None:
        state = history.record.state
        raise InvalidInput(
            f"{history.record.task_id} is {state} and has no proposal",
            next_step=f"`aifactory logs {history.record.task_id}` says what happened",
        )
    if json:
        said = {"task_id": history.record.task_id, "commit": history.record.commit}
        print_json(said | {"patch": patch.decode(errors="replace")})
    else:
        print_raw(patch)


def _landed(place: Place, history: History) -> bytes | None:
    commit = history.record.commit
    if not commit or not place.repository.resolve(f"{commit}^{{commit}}"):
        return None
    shape = ("--format=", "--patch", "--no-color", "--no-ext-diff", "--no-textconv", "--binary")
    return place.repository.run("show", *shape, "--end-of-options", commit)


def _proposed(place: Place, history: History) -> bytes | None:
    """The patch of the last attempt that made one."""
    numbered = (re.fullmatch(r"proposal-(\d+)\.patch", name) for name in history.artifacts)
    numbers = [int(found[1]) for found in numbered if found]
    return place.blob(history, f"proposal-{max(numbers)}.patch") if numbers else None
