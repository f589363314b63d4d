"""What is done at every start: the operation without an end is settled, leftovers are removed.

Runs under the daemon's lock, may itself be killed anywhere, finds nothing to do a second time.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aifactory import failpoints, fence, index, journal, quarantine, worktree
from aifactory.errors import DiskFull
from aifactory.git import Repository
from aifactory.intent import Intent
from aifactory.journal import Journal
from aifactory.layout import Layout
from aifactory.operation import Settled, Site, errors_told, finish

KEPT_SECONDS = 14 * 86400

What = Literal[
    "undone", "redone", "lock removed", "stage removed", "journal cut", "user's bytes kept"
]


@dataclass(frozen=True)
class Recovery:
    """One thing that recovery found and did. `op` and `task_id` are `""` where none is known."""

    op: str
    task_id: str
    what: What
    detail: str


def recover(repository: Repository, layout: Layout, journal: Journal) -> list[Recovery]:
    """Bring the repository to before or after whatever was under way.

    May be called whenever nothing is landing. What an earlier daemon prepared and did not publish
    is forgotten.
    """
    done = []
    if journal.torn:
        done.append(Recovery("", "", "journal cut", f"{journal.path}: a record was not finished"))
    with errors_told():
        site = Site.of(repository, layout, journal)
        done += heal(site)
        done += [_lock_removed("", lock) for lock in fence.leftovers(repository, journal.before_at)]
        _sweep_quarantine(repository, layout, journal.opened_at)
        _sweep_kept(layout)
        failpoints.hit("recovery.swept")
        _refill(journal)
    return done


def heal(site: Site) -> list[Recovery]:
    """Put right what a crash or an error left of landings; nothing else may be landing."""
    return [*settle(site), *_sweep_stages(site)]


def settle(site: Site) -> list[Recovery]:
    """Finish the operation that has no end, if there is one."""
    pending = site.journal.pending
    if pending is None:
        return []
    failpoints.hit("recovery.begun")
    intent = Intent.of(pending, site.repository.git_dir)
    removed = fence.clear(site.repository, intent)
    failpoints.hit("recovery.fenced")
    try:
        settled = finish(site, intent)
    except DiskFull:
        journal.free_reserve(site.journal.path)
        settled = finish(site, intent)
    return [*_told(intent, settled), *(_lock_removed(intent.op, lock) for lock in removed)]


def _told(intent: Intent, settled: Settled) -> list[Recovery]:
    what: What = "redone" if settled.landed else "undone"
    told = [
        Recovery(intent.op, task.task_id, what, f"{task.commit} on {intent.target}")
        for task in intent.tasks
    ]
    return told + [Recovery(intent.op, "", "user's bytes kept", path) for path in settled.kept]


def _lock_removed(op: str, lock: Path) -> Recovery:
    return Recovery(op, "", "lock removed", str(lock))


def _sweep_stages(site: Site) -> list[Recovery]:
    """Stages without an operation: of a crash before its record, or after its end."""
    done = []
    if not site.layout.stage.is_dir():
        return []
    for stage in sorted(site.layout.stage.iterdir()):
        for place in worktree.worktrees(site.repository):
            if index.is_ours(place, stage / "lock"):
                index.unlock(place, stage / "lock")
                done.append(_lock_removed(stage.name, place.index_lock))
        shutil.rmtree(stage)
        done.append(Recovery(stage.name, "", "stage removed", str(stage)))
    return done


def _sweep_quarantine(repository: Repository, layout: Layout, since: float) -> None:
    """What was prepared before this daemon was; its own candidates may still be gated."""
    for folder in layout.quarantine.glob("*"):
        if folder.stat().st_mtime < since:
            quarantine.remove(repository, folder)


def _sweep_kept(layout: Layout) -> None:
    if layout.kept.is_dir():
        for stage in layout.kept.iterdir():
            if stage.stat().st_mtime < time.time() - KEPT_SECONDS:
                shutil.rmtree(stage)


def _refill(held: Journal) -> None:
    try:
        journal.fill_reserve(held.path)
    except DiskFull:
        held.note(reason="no room for the reserve")
