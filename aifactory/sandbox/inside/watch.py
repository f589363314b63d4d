"""Bounds that no limit of the kernel's holds here: memory, temporary files and disk in total.

Where the daemon has a memory cgroup or the workspace a filesystem of its own, these only come
second. Otherwise they are all there is, and the record says so: a burst between two looks passes.
"""

# ruff: noqa: PTH112, PTH116 - looks many times a second, and pathlib would cost more than the look

from __future__ import annotations

import os
import time
from itertools import chain

from aifactory.sandbox.inside.kernel import signal_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from aifactory.sandbox.inside.kernel import Plan

PAGE = os.sysconf("SC_PAGE_SIZE")
BLOCK = 512
SIGCONT, SIGSTOP = 18, 19


class Watch:
    """Looks again and again; `passed` names the bound that was passed, or is empty."""

    def __init__(self, plan: Plan) -> None:
        self.bounds: dict[str, int] = plan["bounds"]
        self.workspace: str = plan["workspace"]
        self.temporary: list[str] = [path for path in plan["temporary"] if os.path.isdir(path)]
        self.started = time.time() - 0.1
        self.first = os.statvfs(self.workspace)
        self.device = os.stat(self.workspace).st_dev
        self.looked_at = (0, 0)
        self.peak = 0

    def passed(self) -> str:
        temporary = sum(used(path) for path in self.temporary)
        if temporary > self.bounds["temporary"]:
            return "memory"
        if self.bounds["memory"] and self.memory() + temporary > self.bounds["memory"]:
            return "memory"
        return "disk" if self.bounds["disk"] and self.disk_passed() else ""

    def memory(self) -> int:
        """Bytes of anonymous memory of all processes of the cage, and of shared segments."""
        total = sum(anonymous(pid) for pid in processes()) + shared_segments()
        self.peak = max(self.peak, total)
        return total

    def disk_passed(self) -> bool:
        """Ask the filesystem first, which is cheap; walk only when it lost as much as matters."""
        now = os.statvfs(self.workspace)
        lost_bytes = (self.first.f_bavail - now.f_bavail) * now.f_frsize
        lost_files = self.first.f_favail - now.f_favail
        seen_bytes, seen_files = self.looked_at
        step_bytes, step_files = self.bounds["disk"] // 8, self.bounds["files"] // 8
        if lost_bytes < seen_bytes + step_bytes and lost_files < seen_files + step_files:
            return False
        self.looked_at = (lost_bytes, lost_files)
        signal_all(SIGSTOP)  # all but the guard, so that nothing is added during the count
        try:
            return self.added_too_much()
        finally:
            signal_all(SIGCONT)

    def added_too_much(self) -> bool:
        """Count what was made or changed since the start, the deleted but open too."""
        size, count = 0, 0
        for found in chain(walk(self.workspace), deleted(self.device)):
            if found.st_ctime >= self.started:
                size += found.st_blocks * BLOCK
                count += 1
            if size > self.bounds["disk"] or count > self.bounds["files"]:
                return True
        return False


def used(path: str) -> int:
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def anonymous(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/statm") as line:
            _, resident, shared, *_ = map(int, line.read().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * PAGE


def shared_segments() -> int:
    """System V segments of this ipc namespace; a process need not map them to fill them."""
    try:
        with open("/proc/sysvipc/shm") as lines:
            rows = [line.split() for line in lines.readlines()[1:]]
    except OSError:
        return 0
    return sum(int(row[14]) for row in rows if len(row) > 14)


def walk(top: str) -> Iterator[os.stat_result]:
    """What lies below a directory; what vanishes meanwhile is left out."""
    pending = [top]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                yield entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
            except OSError:
                continue


def deleted(device: int) -> Iterator[os.stat_result]:
    """Files of the workspace's filesystem that only an open descriptor holds."""
    seen = set()
    for pid in processes():
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                found = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if found.st_dev == device and found.st_nlink == 0 and found.st_ino not in seen:
                seen.add(found.st_ino)
                yield found
