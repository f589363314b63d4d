"""`aifactory tidy`: put away the task files whose work is closed, and what nothing uses now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aifactory.cli.options import DryRun, Json, Repo

if TYPE_CHECKING:
    from aifactory.cli.place import Place

SCHEMA = "aifactory/tidy@1"


def tidy(repo: Repo = None, json: Json = False, dry_run: DryRun = False) -> None:
    """Move the files of closed tasks from tasks/ to tasks/.done/.

    A file stays where it is when it was changed after it was taken in, or is no valid task.
    Environments that were not used for a day are removed, but for that of the target branch.
    """
    from aifactory.cli.output import note, print_json, say
    from aifactory.cli.place import opened

    with opened(repo) as place:
        moved = _put_away(place, dry_run)
        removed = [str(old) for old in _environments(place, dry_run)]
    if json:
        print_json({"schema": SCHEMA, "dry_run": dry_run, "moved": moved, "removed": removed})
        return
    for old, new in moved.items():
        say(f"{'would move' if dry_run else 'moved'} {old} to {new}")
    for old in removed:
        say(f"{'would remove' if dry_run else 'removed'} the environment {old}")
    note(f"{len(moved)} of tasks/ {'are' if len(moved) != 1 else 'is'} closed.")


def _put_away(place: Place, dry_run: bool) -> dict[str, str]:
    """The files of closed tasks: where each was, and where it is now or would be."""
    from aifactory import files

    folder, moved = place.layout.tasks / ".done", {}
    for path in _closed(place):
        target = _free(folder / path.name)
        if not dry_run:
            files.make_dir(folder)
            files.rename(path, target)
        moved[f"tasks/{path.name}"] = target.relative_to(place.layout.root).as_posix()
    if moved and not dry_run:
        files.sync_dir(folder)
        files.sync_dir(place.layout.tasks)
    return moved


def _closed(place: Place) -> list[Path]:
    """Files with the very content that the ledger has for a closed task."""
    from aifactory import intake

    digests = {r.task_id: r.digest for r in place.ledger.records() if r.state.closed}
    return [
        found.path
        for found in intake.scan(place.layout.tasks)
        if found.task and digests.get(found.task.task_id) == found.digest
    ]


def _environments(place: Place, dry_run: bool) -> list[Path]:
    """Those that were removed, or would be."""
    import os

    from aifactory import config, gate, sandbox
    from aifactory.environments import Environments, recipe

    settings = config.load(place.layout.root, environ=os.environ)
    python = gate.interpreter(settings.environment.python, place.layout.root)
    branch = settings.land.branch or place.repository.target().removeprefix("refs/heads/")
    tip = place.repository.resolve(f"refs/heads/{branch}") or ""
    current = recipe(place.repository, tip, settings, python)
    pool = Environments(place.layout, lambda: sandbox.choose(settings.sandbox.backend))
    found = list(pool.stale(current.key if current else ""))
    for old in () if dry_run else found:
        pool.remove(old)
    return found


def _free(path: Path) -> Path:
    """The path, with a number where a file of that name was put away before."""
    number, free = 1, path
    while free.exists() or free.is_symlink():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free
