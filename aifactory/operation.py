"""The end of an operation: redone when its commit is in the target, undone when it is not.

Git alone decides which. Every step may be done again, after a crash at any instruction
(study: durability, section 4.3).
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aifactory import failpoints, files, index, swap, worktree
from aifactory.conversion import Conversion, Settings, settings
from aifactory.errors import EnvironmentUnusable, GitFailed, LockHeld
from aifactory.git import Entry, Repository
from aifactory.intent import Intent, Move, Side, Worktree
from aifactory.journal import Journal
from aifactory.layout import Layout


@dataclass(frozen=True)
class Settled:
    """How an operation ended; `kept` are paths with bytes of the user's own, which were left."""

    landed: bool
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """Where operations happen."""

    repository: Repository
    layout: Layout
    journal: Journal
    settings: Settings

    @classmethod
    def of(cls, repository: Repository, layout: Layout, journal: Journal) -> Site:
        """With the user's settings as they are now."""
        return cls(repository, layout, journal, settings(repository))

    def conversion(self, place: Worktree) -> Conversion:
        return Conversion(self.repository, place, self.settings)

    def stage(self, op: str) -> Path:
        return self.layout.stage / op

    def token(self, op: str) -> Path:
        return self.stage(op) / "lock"


@contextmanager
def errors_told() -> Iterator[None]:
    """Errors of the operating system as errors with a remedy."""
    try:
        with files.disk_errors("the repository"):
            yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise EnvironmentUnusable(f"{error.strerror}{where}") from error


def contains(repository: Repository, target: str, commit: str) -> bool:
    """Whether a commit is in the history of the target."""
    tip = repository.resolve(target)
    if tip is None or repository.object(commit) is None:
        return False
    return tip == commit or repository.is_ancestor(commit, tip)


def content(conversion: Conversion, move: Move, side: Side) -> bytes:
    """The bytes of one side as they lie in the checkout."""
    entry = move.entry(side)
    data = conversion.repository.blob(entry.oid) if entry else None
    if entry is None or data is None:
        raise GitFailed(f"the blob of {move.path} is gone")
    if entry != move.bytes_at(side):
        convert = conversion.before if side == "old" else conversion.after
        return convert({move.path: entry}).contents.get(move.path, data)
    return data


def finish(site: Site, intent: Intent, built: Path | None = None) -> Settled:
    """Bring files and index to where the target is, record the end, free the user's index.

    `built` is the new index when it was made under the lock that still stands.
    """
    repository, op = site.repository, intent.op
    landed = contains(repository, intent.target, intent.new)
    kept: list[str] = []
    place = followed(repository, intent)
    files.make_dir(site.stage(op))
    if place:
        if not index.lock(place, site.token(op)):
            raise LockHeld(f"{place.index_lock} is held by another Git command")
        kept = _redo(site, intent, place, built) if landed else _undo(site, intent, place)
        failpoints.hit("landing.index")
    site.journal.end(op, landed=landed, kept=kept)
    failpoints.hit("landing.ended")
    if intent.worktree:
        index.unlock(intent.worktree, site.token(op))
        failpoints.hit("landing.unlocked")
    free(site, op, keep=bool(kept) or _written_late(site, intent))
    failpoints.hit("landing.freed")
    return Settled(landed, tuple(kept))


def followed(repository: Repository, intent: Intent) -> Worktree | None:
    """The checkout of an operation, when it still is one of the target."""
    place = intent.worktree
    if place is None or not place.root.is_dir() or not place.git_dir.is_dir():
        return None
    return place if worktree.head(repository, place.git_dir) == intent.target else None


def _redo(site: Site, intent: Intent, place: Worktree, built: Path | None) -> list[str]:
    """Files and index to the new side.

    An index that has every new entry says that the files were done before: what differs now is
    the user's own.
    """
    if built is None:
        wanted = {move.path: move.new for move in intent.moves}
        if has_entries(site.repository, place, wanted):
            return []
        kept = bring(site, intent, place, "new")
        built = site.stage(intent.op) / "index"
        index.build(site.repository, place, built, wanted, site.settings.options, intent.op)
    else:
        kept = []
    index.install(place, built)
    return kept


def _undo(site: Site, intent: Intent, place: Worktree) -> list[str]:
    """Files to the old side; a path that the user staged meanwhile is the user's."""
    listed = index.listing(site.repository, place)
    theirs = [move.path for move in intent.moves if listed.entry(move.path) != move.old]
    return [*bring(site, intent, place, "old", theirs), *theirs]


def bring(
    site: Site, intent: Intent, place: Worktree, side: Side, leave: Collection[str] = ()
) -> list[str]:
    """Bring every file but `leave` to one side. Gives the paths left with the user's own bytes."""
    supply = partial(content, site.conversion(place))
    stage = site.stage(intent.op)
    return swap.bring(intent, stage, side, supply, site.repository.object_format, leave)


def _written_late(site: Site, intent: Intent) -> bool:
    """Whether a program that held a file open wrote into it after it was taken out."""
    for number, move in enumerate(intent.moves):
        for side in ("old", "new"):
            now = swap.found(
                swap.spare(site.stage(intent.op), number, side), site.repository.object_format
            )
            if now and not swap.alike(now, move.bytes_at(side), modes=False):
                return True
    return False


def has_entries(repository: Repository, place: Worktree, wanted: dict[str, Entry | None]) -> bool:
    listed = index.listing(repository, place)
    return all(listed.entry(path) == entry for path, entry in wanted.items())


def free(site: Site, op: str, *, keep: bool) -> None:
    """Remove the stage, or put it by when it may hold bytes of the user's."""
    stage = site.stage(op)
    if keep:
        files.make_dir(site.layout.kept)
        files.rename(stage, site.layout.kept / op)
    else:
        shutil.rmtree(stage, ignore_errors=True)
