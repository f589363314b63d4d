"""Totals of memory and processes by control groups, version 1 or 2, where root can make them."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aifactory.sandbox.maker import is_left, maker
from aifactory.sandbox.spec import Limits

MOUNTED = Path("/sys/fs/cgroup")
FAMILY = "aifactory"
OVERHEAD_PROCESSES = 8  # the backend and the guard themselves
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Group:
    """One cage's groups: one directory in version 2, one per controller in version 1."""

    memory: Path
    processes: Path
    unified: bool

    @property
    def directories(self) -> list[str]:
        return list(dict.fromkeys([str(self.memory), str(self.processes)]))

    def members(self) -> set[int]:
        return {
            int(pid)
            for path in self.directories
            for pid in Path(path, "cgroup.procs").read_text().split()
            if pid != "0"  # a member of another pid namespace; for kill(2), our own group
        }

    def settle(self) -> int:
        """Wait until the last process is gone, else kill; the number that had to be killed."""
        for _ in range(250):
            if not self.members():
                return 0
            time.sleep(0.002)
        return self.kill()

    def kill(self) -> int:
        found = self.members()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(found)

    def peak_memory(self) -> int:
        name = "memory.peak" if self.unified else "memory.max_usage_in_bytes"
        return _number(self.memory / name)

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a member for want of memory."""
        name = "memory.events" if self.unified else "memory.oom_control"
        lines = (self.memory / name).read_text().splitlines()
        return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in lines)


@contextlib.contextmanager
def group(limits: Limits) -> Iterator[Group | None]:
    """Groups for one command, gone afterwards with all that is in them; None: not to be had."""
    made = _make(limits) if os.geteuid() == 0 else None
    try:
        yield made
    finally:
        if made:
            _remove(made)


def _make(limits: Limits) -> Group | None:
    try:
        name = f"{maker()}-{next(_numbers)}"
        if (MOUNTED / "cgroup.controllers").is_file():
            return _make_unified(name, limits)
        return _make_separate(name, limits)
    except OSError:
        return None


def _make_separate(name: str, limits: Limits) -> Group | None:
    """Version 1: the memory and pids controllers each have a tree."""
    parents = [MOUNTED / controller / FAMILY for controller in ("memory", "pids")]
    if not all((parent.parent / "cgroup.procs").is_file() for parent in parents):
        return None
    memory, processes = (_child(parent, name) for parent in parents)
    _set(memory / "memory.limit_in_bytes", limits.memory_bytes)
    if (memory / "memory.memsw.limit_in_bytes").exists():
        _set(memory / "memory.memsw.limit_in_bytes", limits.memory_bytes)
    _set(processes / "pids.max", limits.processes + OVERHEAD_PROCESSES)
    return Group(memory, processes, unified=False)


def _make_unified(name: str, limits: Limits) -> Group | None:
    """Version 2: one tree, whose controllers are handed down level by level."""
    for level in (MOUNTED, MOUNTED / FAMILY):
        level.mkdir(exist_ok=True)
        (level / "cgroup.subtree_control").write_text("+memory +pids")
    path = _child(MOUNTED / FAMILY, name)
    _set(path / "memory.max", limits.memory_bytes)
    if (path / "memory.swap.max").exists():
        _set(path / "memory.swap.max", 0)
    _set(path / "pids.max", limits.processes + OVERHEAD_PROCESSES)
    return Group(path, path, unified=True)


def _child(parent: Path, name: str) -> Path:
    parent.mkdir(exist_ok=True)
    _sweep(parent)
    path = parent / name
    path.mkdir(exist_ok=True)
    return path


def _sweep(parent: Path) -> None:
    """Remove the groups of daemons that are no more, and what still runs in them."""
    for path in parent.iterdir():
        if path.is_dir() and is_left(path.name):
            _remove(Group(path, path, unified=False))


def _remove(made: Group) -> None:
    for path in map(Path, made.directories):
        for _ in range(100):
            with contextlib.suppress(FileNotFoundError):
                try:
                    path.rmdir()
                except OSError:
                    made.kill()
                    time.sleep(0.01)
                    continue
            break


def _set(path: Path, value: int) -> None:
    path.write_text(str(value))


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
