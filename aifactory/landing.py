"""The commit of a verified proposal on the target branch, with the user's checkout following.

One commit point: the rename by which Git moves the target ref. Before it everything is undone,
after it everything is redone (study: durability, section 4.2).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aifactory import failpoints, fence, files, index, readiness, swap
from aifactory.errors import AifactoryError, GitFailed, GitKilled, LockHeld
from aifactory.files import SyncFailed
from aifactory.git import Repository
from aifactory.intent import Intent, Landing, Move, Worktree
from aifactory.journal import Journal
from aifactory.layout import Layout
from aifactory.operation import Site, bring, contains, content, errors_told, finish, free
from aifactory.quarantine import Candidate, Changed, discard, prepare, publish, reopened
from aifactory.readiness import Waiting
from aifactory.recovery import Recovery, heal, recover

__all__ = [
    "Candidate",
    "Landed",
    "Lander",
    "Moved",
    "Recovery",
    "Waiting",
    "discard",
    "prepare",
    "publish",
    "recover",
    "reopened",
]


FREE_BYTES = 16 << 20  # kept free for what Git and the journal still write


@dataclass(frozen=True)
class Landed:
    """The commit is in the target, lastingly."""

    commit: str


@dataclass(frozen=True)
class Moved:
    """The target is elsewhere (`""`: gone): the proposal has to be gated again on this commit."""

    tip: str


Outcome = Landed | Waiting | Moved


class Lander:
    """Lands one candidate, or a train of them, at a time."""

    def __init__(self, repository: Repository, layout: Layout, journal: Journal) -> None:
        self._repository, self._layout, self._journal = repository, layout, journal
        self._lock = threading.Lock()

    def land(self, candidate: Candidate) -> Outcome:
        """Land a published candidate. An error means that it is not known to have landed yet:
        `recover` and `landed` say more; after `files.SyncFailed` the process has to end first."""
        return self.land_many([candidate])[0]

    def recover(self) -> list[Recovery]:
        """`recover`, for a daemon that goes on after trouble; nothing else may be under way."""
        with self._lock:
            return recover(self._repository, self._layout, self._journal)

    def land_many(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Land candidates that were made one on top of the other, as one operation."""
        with self._lock, errors_told():
            site = Site.of(self._repository, self._layout, self._journal)
            heal(site)
            self._journal.rotate()
            return _land_train(site, list(candidates))


def _land_train(site: Site, train: list[Candidate]) -> list[Outcome]:
    outcome = _attempt(site, train)
    if isinstance(outcome, Landed):
        return [Landed(one.commit) for one in train]
    if isinstance(outcome, Waiting) and outcome.paths:
        free_ones = [set(outcome.paths).isdisjoint(one.changed) for one in train]
        clear = free_ones.index(False) if False in free_ones else 0
        if clear:
            rest: list[Outcome] = [outcome] * (len(train) - clear)
            return [*_land_train(site, train[:clear]), *rest]
    return [outcome] * len(train)


def _attempt(site: Site, train: list[Candidate]) -> Outcome:
    target, base, new = train[0].target, train[0].base, train[-1].commit
    tip = site.repository.resolve(target) or ""
    if tip == new:
        return Landed(new)
    if tip != base:
        return Moved(tip)
    place = readiness.place(site.repository, site.layout, target)
    if isinstance(place, Waiting):
        return place
    intent = _plan(site, train, place)
    if isinstance(intent, Waiting):
        return intent
    return _carry_out(site, intent)


def _plan(site: Site, train: list[Candidate], place: Worktree | None) -> Intent | Waiting:
    moves: tuple[Move, ...] | Waiting = ()
    if place:
        moves = readiness.examine(site.conversion(place), _together(train))
    if isinstance(moves, Waiting):
        return moves
    return Intent(
        op=secrets.token_hex(8),
        target=train[0].target,
        old=train[0].base,
        new=train[-1].commit,
        tasks=tuple(Landing(one.task_id, one.attempt, one.commit) for one in train),
        worktree=place,
        moves=moves,
        made=readiness.missing_folders(place.root, moves) if place else (),
        modes=site.settings.modes,
    )


def _together(train: list[Candidate]) -> Changed:
    """What a train changes, from its first entry to its last."""
    changed = dict(train[0].changed)
    for one in train[1:]:
        for path, (old, new) in one.changed.items():
            changed[path] = (changed[path][0] if path in changed else old, new)
    return {path: pair for path, pair in sorted(changed.items()) if pair[0] != pair[1]}


def _carry_out(site: Site, intent: Intent) -> Outcome:
    try:
        refusal = _begin(site, intent)
    except BaseException:
        _abandon(site, intent)
        raise
    if refusal:
        _abandon(site, intent)
        return refusal
    try:
        advanced = _advance(site, intent)
        if isinstance(advanced, Waiting | Moved):
            finish(site, intent)
            return advanced
        finish(site, intent, advanced.index)
        return Landed(intent.new)
    except SyncFailed:
        raise
    except (AifactoryError, OSError):
        heal(site)
        if contains(site.repository, intent.target, intent.new):
            return Landed(intent.new)
        raise


def _begin(site: Site, intent: Intent) -> Waiting | None:
    """Up to the recorded intent: nothing but the lock of the index can be seen by now."""
    _lay_stage(site, intent)
    failpoints.hit("landing.staged")
    if intent.worktree and (refusal := _take_checkout(site, intent, intent.worktree)):
        return refusal
    site.journal.begin(intent.op, intent.record(site.repository.git_dir))
    return None


def _abandon(site: Site, intent: Intent) -> None:
    """Give back what was taken before the intent was recorded; after it, recovery does."""
    if site.journal.pending is None:
        if intent.worktree:
            index.unlock(intent.worktree, site.token(intent.op))
        free(site, intent.op, keep=False)


def _lay_stage(site: Site, intent: Intent) -> None:
    """All space is taken here, before anything is recorded or changed."""
    stage = files.make_dir(site.stage(intent.op))
    indexed = intent.worktree and intent.worktree.index
    copies = 2 * indexed.stat().st_size if indexed and indexed.exists() else 0
    files.require_space(stage, FREE_BYTES + copies)
    for number, move in enumerate(intent.moves):
        if move.gets and move.gets != move.had:
            assert intent.worktree
            supply = partial(content, site.conversion(intent.worktree))
            swap.lay_ready(stage, number, move, "new", supply)
    files.write_new(site.token(intent.op), index.LOCK_TEXT)
    files.sync_dir(stage)


@dataclass(frozen=True)
class Advanced:
    """The commit point is passed; `index` is the new index, not in place yet."""

    index: Path | None


def _advance(site: Site, intent: Intent) -> Advanced | Waiting | Moved:
    """From the recorded intent over the commit point, or the reason why not."""
    failpoints.hit("landing.begun")
    built = None
    if intent.worktree and intent.moves:
        if kept := bring(site, intent, intent.worktree, "new"):
            return Waiting(f"{', '.join(kept)} changed while it landed", tuple(kept))
        failpoints.hit("landing.files")
        built = site.stage(intent.op) / "index"
        wanted = {move.path: move.new for move in intent.moves}
        options = site.settings.options
        index.build(site.repository, intent.worktree, built, wanted, options, intent.op)
        failpoints.hit("landing.indexed")
    return _move_target(site, intent) or Advanced(built)


def _take_checkout(site: Site, intent: Intent, place: Worktree) -> Waiting | None:
    """Lock the index and look again at every path."""
    if not index.lock(place, site.token(intent.op)):
        return Waiting(f"another Git command has {place.index_lock} locked")
    failpoints.hit("landing.locked")
    again = readiness.place(site.repository, site.layout, intent.target)
    if isinstance(again, Waiting):
        return again
    if again != place:
        return Waiting(f"{intent.target} was checked out elsewhere meanwhile")
    changed = {move.path: (move.old, move.new) for move in intent.moves}
    moves = readiness.examine(site.conversion(place), changed)
    if isinstance(moves, Waiting):
        return moves
    if moves != intent.moves:
        return Waiting("what Git makes of the files changed meanwhile")
    failpoints.hit("landing.checked")
    return None


def _move_target(site: Site, intent: Intent) -> Waiting | Moved | None:
    """The commit point: compare and swap of the target ref, then its durability."""
    repository = site.repository
    try:
        repository.move_ref(
            intent.target, intent.old, intent.new, _reason(repository, intent), _env(site, intent)
        )
    except GitKilled:
        if repository.resolve(intent.target) != intent.new:
            raise  # what it locked is freed when the landing is undone
    except GitFailed:
        tip = repository.resolve(intent.target) or ""
        if tip not in (intent.old, intent.new):
            return Moved(tip)
        if tip == intent.old:
            if any(lock.exists() for lock in fence.locks(repository, intent)):
                return Waiting(f"another Git command has {intent.target} locked")
            raise
    failpoints.hit("landing.moved")
    repository.sync_ref(intent.target)
    if any(lock.exists() for lock in fence.locks(repository, intent)):
        with contextlib.suppress(LockHeld):
            fence.clear(repository, intent)  # Git leaves a lock behind that it could not remove
    failpoints.hit("landing.synced")
    return None


def _env(site: Site, intent: Intent) -> dict[str, str]:
    """Whose name stands in the reflog, and in which checkout HEAD's own log is written."""
    env = {fence.MARK: intent.op}
    found = site.repository.object(intent.new)
    who = re.search(rb"^committer (.*) <(.*)> ", found[1] if found else b"", re.MULTILINE)
    if who:
        env["GIT_COMMITTER_NAME"], env["GIT_COMMITTER_EMAIL"] = map(os.fsdecode, who.groups())
    return env | ({"GIT_DIR": str(intent.worktree.git_dir)} if intent.worktree else {})


def _reason(repository: Repository, intent: Intent) -> str:
    found = repository.object(intent.new)
    message = (found[1] if found else b"").partition(b"\n\n")[2]
    subject = message.partition(b"\n")[0].decode(errors="replace")
    return f"commit{'' if intent.old else ' (initial)'}: {subject}"
