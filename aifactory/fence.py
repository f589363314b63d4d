"""What a dead daemon may have left running or locked, and how it is told from what is others'.

A Git child that outlives its daemon could still move the target after recovery had undone the
files, so our children carry the name of their operation in the environment and are ended first.
Locks of refs are removed when the operation names them and nobody alive can hold them
(study: durability, section 4.6).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from aifactory import files
from aifactory.errors import LockHeld
from aifactory.git import Repository
from aifactory.intent import Intent

MARK = "AIFACTORY_OP"
PATIENCE = 5.0  # seconds for another Git command to end
_PROC = Path("/proc")


def leftovers(repository: Repository, since: float) -> list[Path]:
    """Remove the locks that a dead daemon left. Gives those.

    Those on refs of ours, and those that were made after `since`, when it had started (seconds
    since the epoch), on HEAD and on the packed refs, which every deletion locks.
    """
    common = repository.git_dir
    ours = list((common / "refs" / "aifactory").rglob("*.lock"))
    shared = [
        common / "HEAD.lock",
        *common.glob("worktrees/*/HEAD.lock"),
        common / "packed-refs.lock",
    ]
    found = [*ours, *(lock for lock in shared if _is_after(lock, since))]
    removed = [lock for lock in found if _is_free(lock, [common, repository.root])]
    for lock in removed:
        files.remove(lock)
    return removed


def _is_after(lock: Path, since: float) -> bool:
    try:
        return lock.stat().st_mtime >= since
    except FileNotFoundError:
        return False


def locks(repository: Repository, intent: Intent) -> list[Path]:
    """The locks that moving the target may take."""
    folders = [repository.git_dir, *([intent.worktree.git_dir] if intent.worktree else [])]
    heads = [folder / "HEAD.lock" for folder in dict.fromkeys(folders)]
    return [repository.git_dir / f"{intent.target}.lock", *heads]


def clear(repository: Repository, intent: Intent) -> list[Path]:
    """End our orphans of this operation and remove the locks that they left. Gives those.

    LockHeld when somebody alive keeps one for longer than `PATIENCE`.
    """
    end_orphans(intent.op)
    removed = []
    for lock in locks(repository, intent):
        if lock.exists():
            roots = [repository.git_dir, *([intent.worktree.root] if intent.worktree else [])]
            if not _is_free(lock, roots):
                raise LockHeld(f"{lock} is held by another Git command", next_step="end it")
            if lock.exists():
                files.remove(lock)
                removed.append(lock)
    return removed


def end_orphans(op: str) -> None:
    """Kill the processes that carry this operation's mark, and wait until they are gone."""
    mark = f"{MARK}={op}".encode()
    for pid in _processes():
        with contextlib.suppress(OSError):
            if mark in (_PROC / pid / "environ").read_bytes().split(b"\0"):
                os.kill(int(pid), signal.SIGKILL)
                _wait_until(partial(_is_gone, _PROC / pid))


def _is_gone(process: Path) -> bool:
    """Also true for a zombie: it does nothing any more."""
    try:
        return (process / "stat").read_text().rpartition(") ")[2][:1] in ("Z", "X")
    except OSError:
        return True


def _is_free(lock: Path, roots: list[Path]) -> bool:
    """Whether nobody alive holds the lock.

    Git may close a lock and hold it on, for the time of a hook at most: another command gets
    `PATIENCE` to end, and one that only shows something in a pager does not matter after that.
    """
    _wait_until(lambda: not lock.exists() or not _git_inside(roots))
    return _wait_until(lambda: not lock.exists() or not _held(lock))


def _wait_until(condition: Callable[[], bool]) -> bool:
    """Poll a condition; False when it does not come true in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _processes() -> Iterator[str]:
    own = str(os.getpid())
    if _PROC.is_dir():
        yield from (name for name in os.listdir(_PROC) if name.isdigit() and name != own)


def _held(lock: Path) -> bool:
    """Whether a process has the file open."""
    for pid in _processes():
        with contextlib.suppress(OSError):
            if any(_same(link, lock) for link in (_PROC / pid / "fd").iterdir()):
                return True
    return False


def _same(link: Path, lock: Path) -> bool:
    with contextlib.suppress(OSError):
        return link.readlink() == lock
    return False


def _git_inside(roots: list[Path]) -> bool:
    """Whether another Git command works in the repository: it may hold a lock that is not open."""
    for pid in _processes():
        with contextlib.suppress(OSError):
            if not (_PROC / pid / "exe").readlink().name.startswith("git"):
                continue
            folder = (_PROC / pid / "cwd").readlink()
            reads = b"cat-file" in (_PROC / pid / "cmdline").read_bytes()
            if not reads and any(folder.is_relative_to(root) for root in roots):
                return True
    return False
