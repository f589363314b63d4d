"""Whose a temporary thing is, by its name: what a dead process left is removed, nobody else's.

A process id means something in one pid namespace only: what another one's processes made is theirs,
dead or alive, since nobody here can tell.
"""

from __future__ import annotations

import os
from pathlib import Path


def maker() -> str:
    """The start of a name for what this process makes."""
    return f"{_namespace()}-{os.getpid()}"


def is_left(name: str) -> bool:
    """Whether the process whose `maker` the name begins with is no more."""
    namespace, pid, *_ = [*name.split("-"), ""]
    told = str(Path("/proc/self").readlink()) == str(
        os.getpid()
    )  # else /proc is of another namespace
    return told and namespace == _namespace() and not Path("/proc", pid).exists()


def _namespace() -> str:
    """The number of our pid namespace, out of `pid:[4026531836]`."""
    return f"n{str(Path('/proc/self/ns/pid').readlink())[5:-1]}"
