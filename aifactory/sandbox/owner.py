"""The unprivileged user of each slot, when the daemon is root.

No account is made: the users are numbers from a range that no distribution hands out (systemd's
"Users, Groups, UIDs and GIDs": above its container range, below 2^31), and inside the cage a
passwd file names them. A lock per number keeps two daemons of one machine apart.
"""

from __future__ import annotations

import fcntl
import os
import threading
from functools import cache
from pathlib import Path

from aifactory.errors import SandboxUnusable

FIRST_UID = 1_879_100_000
SLOTS, ROUNDS, SINGLES = 64, 8, 16
LOCKS = Path("/run/aifactory/users")
_ONE_AT_A_TIME = threading.Lock()


def owner(slot: int) -> tuple[int, int] | None:
    """The (uid, gid) that must own the workspaces of `slot`; None: the daemon's own user.

    The numbers stay the same for the life of this process, and mostly from one to the next.
    """
    if os.geteuid() != 0:
        return None
    try:
        with _ONE_AT_A_TIME:
            return _held(slot)
    except OSError as error:
        raise SandboxUnusable(f"the users of slots cannot be locked: {error}") from error


def free_owner() -> tuple[int, int] | None:
    """The user for a single command outside any daemon's slots."""
    return owner(SLOTS - 2 - os.getpid() % SINGLES)


def is_owner(uid: int) -> bool:
    """Whether `uid` is one of the range."""
    return FIRST_UID <= uid < FIRST_UID + SLOTS * ROUNDS


@cache
def _held(slot: int) -> tuple[int, int]:
    if not 0 <= slot < SLOTS:
        raise SandboxUnusable(f"there is no slot {slot}: at most {SLOTS} commands run at once")
    LOCKS.mkdir(mode=0o700, parents=True, exist_ok=True)
    for uid in range(FIRST_UID + slot, FIRST_UID + SLOTS * ROUNDS, SLOTS):
        lock = os.open(LOCKS / str(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return uid, uid  # the descriptor stays open: it holds the lock for this process
    raise SandboxUnusable(
        f"all users of slot {slot} are taken by other daemons", next_step="stop one of them"
    )
