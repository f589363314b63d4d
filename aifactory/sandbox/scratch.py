"""Filesystems of fixed size over one directory, for this thread and its children only."""

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
        _unmount(directory)


@contextlib.contextmanager
def layered(directory: Path, limits: Limits) -> Iterator[Limits | None]:
    """Lay a filesystem of fixed size over `directory`, which takes all that is written from now on
    and goes with it at the end; what lies below is seen, and stays as it is.

    Gives the limits that then hold, as `bounded` does; None where nothing can be laid over it.
    The calling thread leaves the process's mount namespace for good.
    """
    found, room = directory.stat(), directory.with_name(f"{directory.name}.layer")
    if os.geteuid() != 0 or limits.disk_bytes > _available() // 4:
        yield None
        return
    room.mkdir(mode=0o700, exist_ok=True)
    if not _mounted(room, limits.disk_bytes, limits.disk_files):
        yield None
        return
    try:
        for name in ("upper", "work"):
            (room / name).mkdir(mode=0o755)
            os.chown(room / name, found.st_uid, found.st_gid)
        laid = _laid(directory, room)
        memory = limits.memory_bytes + limits.disk_bytes
        try:
            yield replace(limits, memory_bytes=memory) if laid else None
        finally:
            if laid:
                _unmount(directory)
    finally:
        _unmount(room)


def _laid(directory: Path, room: Path) -> bool:
    """An overlay of `directory` and the empty directories in `room`, at `directory`."""
    places = (directory, room / "upper", room / "work")
    if any(set(",:\\") & set(str(place)) for place in places):
        return False  # they mean something in the options
    names = zip(("lowerdir", "upperdir", "workdir"), places, strict=True)
    options = ",".join([*(f"{name}={place}" for name, place in names), "redirect_dir=on"])
    flags = _NO_SUID | _NO_DEVICES
    target, data = os.fsencode(directory), os.fsencode(options)
    return bool(ctypes.CDLL(None).mount(b"overlay", target, b"overlay", flags, data) == 0)


def _unmount(directory: Path) -> None:
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
