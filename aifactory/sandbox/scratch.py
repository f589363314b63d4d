"""A filesystem of fixed size over one directory, for this thread and its children only."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from aifactory.sandbox.spec import Limits

_NEW_NAMESPACE, _RECURSIVE, _PRIVATE = 0x20000, 0x4000, 1 << 18
_NO_SUID, _NO_DEVICES, _DETACH = 2, 4, 2


@contextlib.contextmanager
def bounded(directory: Path, limits: Limits, bytes_: int, files: int) -> Iterator[Limits]:
    """Mount a tmpfs that holds `bytes_` and `files` and what `limits` lets a command add.

    Gives the limits that then hold: the disk's are the filesystem's, and memory has room for
    them, because a tmpfs is memory. Where nothing can be mounted the limits stay as they are and
    the guard watches. The calling thread leaves the process's mount namespace for good.
    """
    size, inodes = bytes_ + limits.disk_bytes, files + limits.disk_files
    if size > _available() // 4 or not _mounted(directory, size, inodes):
        yield limits
        return
    try:
        yield replace(
            limits, disk_bytes=size, disk_files=inodes, memory_bytes=limits.memory_bytes + size
        )
    finally:
        ctypes.CDLL(None).umount2(os.fsencode(directory), _DETACH)


def _available() -> int:
    """Bytes of memory that can be had without swapping."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    found = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return found[0] * 1024 if found else 0


def _mounted(directory: Path, size: int, inodes: int) -> bool:
    libc = ctypes.CDLL(None)
    options = f"size={size},nr_inodes={inodes},mode=755".encode()
    flags = _NO_SUID | _NO_DEVICES
    return (
        os.geteuid() == 0
        and libc.unshare(_NEW_NAMESPACE) == 0
        and libc.mount(None, b"/", None, _RECURSIVE | _PRIVATE, None) == 0
        and libc.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", flags, options) == 0
    )
