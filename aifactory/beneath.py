"""Directories that untrusted code may have written in: entered name by name, links never followed.

Everything works on open directories, so that no name can be exchanged for a link between a look
and a deed (study: sandbox, section 8).
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER_MODE = 0o755
OWN_MODE = 0o700

Owner = tuple[int, int] | None


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """An open directory whose parents are trusted; its own name may not be a link."""
    fd = os.open(path, FOLDER)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def folder(root: int, path: str) -> Iterator[int]:
    """The directory `path`, "" for `root` itself. OSError when a part of it is none, or a link."""
    fd = enter(root, path)
    try:
        yield fd
    finally:
        os.close(fd)


def enter(root: int, path: str) -> int:
    """As `folder`; the descriptor is the caller's to close."""
    fd = os.open(".", FOLDER, dir_fd=root)
    for part in filter(None, path.split("/")):
        try:
            below = os.open(part, FOLDER, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def pinned(fd: int) -> Path:
    """A path to an open directory that leads to this very one, whatever its names become."""
    return Path(f"/proc/self/fd/{fd}")


def claim(fd: int, name: str, mode: int, owner: Owner = None) -> None:
    """Give the directory `name` an owner and a mode, whatever its own mode forbids.

    A descriptor without rights pins the inode, and `/proc` leads to exactly that one.
    """
    held = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        if owner:
            os.chown(pinned(held), *owner)
        pinned(held).chmod(mode)
    finally:
        os.close(held)


def discard(fd: int, name: str, trash: int) -> None:
    """Take away what stands under a name; a directory goes to `trash`, which `empty` deletes."""
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        _move(fd, name, trash)


def empty(trash: int) -> None:
    """Delete everything in a directory.

    Each directory is moved up before it is emptied, so that depth and long names do not matter.
    """
    pending = os.listdir(trash)
    while pending:
        name = pending.pop()
        try:
            os.unlink(name, dir_fd=trash)
        except IsADirectoryError:
            claim(trash, name, OWN_MODE)
            pending += _flatten(trash, name)
            os.rmdir(name, dir_fd=trash)


def _flatten(trash: int, name: str) -> list[str]:
    moved = []
    with folder(trash, name) as fd:
        for below in os.listdir(fd):
            try:
                os.unlink(below, dir_fd=fd)
            except IsADirectoryError:
                moved.append(_move(fd, below, trash))
    return moved


def _move(fd: int, name: str, trash: int) -> str:
    token = secrets.token_hex(8)
    # Moving a directory to another parent changes its `..`: its owner needs the right to write.
    claim(fd, name, OWN_MODE)
    os.rename(name, token, src_dir_fd=fd, dst_dir_fd=trash)
    return token


def read(root: int, path: str, limit: int) -> bytes | None:
    """The bytes of a regular file, or None.

    None also for what is larger than `limit`, has a second name, or lies behind a link; never
    waits for a pipe or a device.
    """
    where, _, name = path.rpartition("/")
    if not name or ".." in path.split("/"):
        return None
    try:
        with folder(root, where) as fd:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return _read_open(os.open(name, flags, dir_fd=fd), limit)
    except (OSError, ValueError):
        return None


def _read_open(fd: int, limit: int) -> bytes | None:
    """Closes the descriptor in any case; `open` keeps that of a directory when it refuses it."""
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > limit:
            return None
        with open(fd, "rb", buffering=0, closefd=False) as file:
            data = file.read(status.st_size + 1) or b""
        return data if len(data) == status.st_size else None
    finally:
        os.close(fd)
