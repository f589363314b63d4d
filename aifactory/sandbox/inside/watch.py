"""Bounds that no limit of the kernel's holds here: memory, temporary files and disk in total.

Where the daemon has a memory cgroup or the workspace a filesystem of its own, these only come
second. Otherwise they are all there is, and the record says so: a burst between two looks passes.
"""

# ruff: noqa: PTH112, PTH116 - looks many times a second, and pathlib would cost more than the look

from __future__ import annotations

import os
import stat
import time
from itertools import chain

from aifactory.sandbox.inside.kernel import signal_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from aifactory.sandbox.inside.kernel import Plan

PAGE = os.sysconf("SC_PAGE_SIZE")
BLOCK, KIB = 512, 1024
SPARE = 20  # a long look is repeated after so many times the time that it took
SIGCONT, SIGSTOP = 18, 19
STILL_SECONDS = 1.0
STANDING = "TtZX"  # stopped, traced, ended: see proc(5)


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
        self.next_long_look = 0.0
        self.holds = False  # nothing in here is to move but the guard

    def passed(self) -> str:
        found = [used(path) for path in self.temporary]
        temporary, files = sum(size for size, _ in found), sum(count for _, count in found)
        if temporary > self.bounds["temporary"] or files > self.bounds["temporary_files"]:
            return "memory"
        if self.bounds["memory"] and self.memory(temporary) > self.bounds["memory"]:
            return "memory"
        return "disk" if self.bounds["disk"] and self.disk_passed() else ""

    def memory(self, temporary: int) -> int:
        """Bytes that the processes of the cage hold together, with shared segments and temporary
        files. What several share is told apart only when it could matter: that takes long."""
        pids, files = processes(), shared_segments() + temporary
        sizes = [resident(pid) for pid in pids]
        alone = sum(size - shared for size, shared in sizes) + files
        now = time.monotonic()
        if sum(size for size, _ in sizes) + files <= self.bounds["memory"]:
            return alone
        if alone > self.bounds["memory"] or now < self.next_long_look:
            return alone
        parts = [proportional(pid) for pid in pids]
        self.next_long_look = now + SPARE * (time.monotonic() - now)
        return sum(own for own, _ in parts) + max(files, sum(shared for _, shared in parts))

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
            return self.added_too_much(lost_bytes, lost_files)
        finally:
            if not self.holds:
                signal_all(SIGCONT)

    def still(self) -> bool:
        """Wait until every thread has left the call to the system that it was in."""
        until = time.monotonic() + STILL_SECONDS
        while time.monotonic() < until:
            if all(state in STANDING for state in states()):
                return True
            time.sleep(0.001)
        return False

    def added_too_much(self, lost_bytes: int, lost_files: int) -> bool:
        """Count what was made or changed since the start, the deleted but open too.

        Where something cannot be counted, it is taken for all that the filesystem has lost.
        """
        size, count, hidden = 0, 0, False
        for found in chain(walk(self.workspace), deleted(self.device)):
            if found is None:
                hidden = True
            elif found.st_ctime >= self.started:
                size += found.st_blocks * BLOCK
                count += 1
            if size > self.bounds["disk"] or count > self.bounds["files"]:
                return True
        return hidden and (lost_bytes > self.bounds["disk"] or lost_files > self.bounds["files"])


def used(path: str) -> tuple[int, int]:
    """Bytes and files on a filesystem."""
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_files - found.f_ffree


def processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def states() -> Iterator[str]:
    """The state of every thread in the cage but the guard's and the first process's."""
    for pid in processes():
        if int(pid) in (1, os.getpid()):
            continue
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/stat") as line:
                    yield line.read().rpartition(") ")[2][0]
        except OSError:
            continue  # it has ended


def resident(pid: str) -> tuple[int, int]:
    """Bytes of a process in memory, and how many of them are files' or shared."""
    try:
        with open(f"/proc/{pid}/statm") as line:
            _, size, shared, *_ = map(int, line.read().split())
    except (OSError, ValueError):
        return 0, 0
    return size * PAGE, shared * PAGE


def proportional(pid: str) -> tuple[int, int]:
    """Bytes of a process's own, and its part of the shared memory that is no file's."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as lines:
            found = dict(line.split(":", 1) for line in lines.readlines()[1:])
        own, shared = (int(found[name].split()[0]) * KIB for name in ("Pss_Anon", "Pss_Shmem"))
    except (OSError, KeyError, ValueError):
        size, shared = resident(pid)
        return size - shared, 0
    return own, shared


def shared_segments() -> int:
    """System V segments of this ipc namespace; a process need not map them to fill them."""
    try:
        with open("/proc/sysvipc/shm") as lines:
            rows = [line.split() for line in lines.readlines()[1:]]
    except OSError:
        return 0
    return sum(int(row[14]) for row in rows if len(row) > 14)


def walk(top: str) -> Iterator[os.stat_result | None]:
    """What lies below a directory, None for what cannot be looked at; not what is gone already."""
    pending = [top]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except FileNotFoundError:
            continue
        except OSError:  # it may not be listed, or its path is too long
            yield None
            continue
        for entry in entries:
            try:
                yield entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
            except FileNotFoundError:
                continue
            except OSError:
                yield None


def deleted(device: int) -> Iterator[os.stat_result | None]:
    """Files of the workspace's filesystem that only an open descriptor holds; None for those that
    a mapping holds, and for descriptors that are on their way through a socket."""
    seen = set()
    for pid in processes():
        if maps_deleted(pid, device):
            yield None
        for name in descriptors(pid):
            try:
                found = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if stat.S_ISSOCK(found.st_mode) and carries(pid, name):
                yield None
            if found.st_dev == device and found.st_nlink == 0 and found.st_ino not in seen:
                seen.add(found.st_ino)
                yield found


def descriptors(pid: str) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []


def maps_deleted(pid: str, device: int) -> bool:
    number = f" {os.major(device):02x}:{os.minor(device):02x} "
    try:
        with open(f"/proc/{pid}/maps") as lines:
            return any(line.endswith(" (deleted)\n") and number in line for line in lines)
    except OSError:
        return False


def carries(pid: str, name: str) -> bool:
    """Whether descriptors lie in a socket that nobody has taken out yet."""
    try:
        with open(f"/proc/{pid}/fdinfo/{name}") as lines:
            return any(line.startswith("scm_fds:") and line.split()[1] != "0" for line in lines)
    except OSError:
        return False
