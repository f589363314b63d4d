"""Whether a daemon works on the repository, and what it last said."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from aifactory.layout import Layout
from aifactory.model import now

_HOLDER = re.compile(r"pid (\d+) .* tick (\d+)")


@dataclass(frozen=True)
class Pulse:
    """A running daemon holds the lock; `heartbeat` is the time of its last sign of life.

    `stopped`: its process was halted by a signal, and keeps the lock.
    """

    running: bool
    pid: int | None = None
    heartbeat: str | None = None
    stopped: bool = False


def pulse(layout: Layout) -> Pulse:
    """Looks without getting in the way of a daemon that runs or starts."""
    if not _held(layout):
        return Pulse(running=False)
    pid, stopped = holder(layout.lock.read_text(errors="replace"))
    try:
        said = json.loads(layout.heartbeat.read_bytes())
    except (OSError, ValueError):
        return Pulse(True, pid, stopped=stopped)
    fields = said if isinstance(said, dict) else {}
    return Pulse(True, pid or fields.get("pid"), fields.get("at"), stopped)


def signature(who: str) -> str:
    """What a holder of the lock writes into it: a process id alone may be used again."""
    started = (_process(os.getpid()) or ("", ""))[1]
    since = f"on {socket.gethostname()}, since {now()}, tick {started}"
    return f"pid {os.getpid()} {since}{who and f': {who}'}"


def holder(signed: str) -> tuple[int | None, bool]:
    """The process that signed, if it lives, and whether it was halted by a signal."""
    found = _HOLDER.match(signed)
    alive = _process(int(found[1])) if found else None
    if not found or not alive or alive[1] != found[2]:
        return None, False
    return int(found[1]), alive[0] in ("T", "t")


def _process(pid: int) -> tuple[str, str] | None:
    """State and start, in ticks since the boot, of a process of this machine; None if gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return fields[0], fields[19]


def _held(layout: Layout) -> bool:
    """Whether somebody holds the daemon's lock.

    Its holder writes its name into the file and wipes it at the end, so the lock is tried, shared
    and for an instant, only after a name was left: a starting daemon is not in the way of this.
    """
    try:
        fd = os.open(layout.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not os.pread(fd, 1, 0):
            return False
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
