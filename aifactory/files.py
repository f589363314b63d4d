"""The only module that makes files durable: atomic writes, synced appends, locks.

What may be relied on is small (study: durability, section 1): fsync of a file lasts its data,
fsync of a directory lasts its names, rename is atomic. After a failed fsync the kernel may call
the pages clean, so nothing is tried again: `SyncFailed` ends the process and the next start reads
the disk.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aifactory.errors import DiskFull, EnvironmentUnusable, LockHeld

FEW_INODES = 1000


class SyncFailed(EnvironmentUnusable):
    remedy = "check the disk; start the daemon again, it recovers by itself"


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn "no space", "quota" and I/O errors into errors with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(f"no space left while writing {what}: {error.strerror}") from error
        raise


def sync(fd: int, what: str) -> None:
    """Make the data of an open file last; never tried twice."""
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space left while syncing {what}") from error
        raise SyncFailed(f"fsync of {what} failed: {error.strerror}") from error


def sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(fd, str(path))
    finally:
        os.close(fd)


def sync_dir(path: Path) -> None:
    """Make the names in a directory last."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(fd, str(path))
    finally:
        os.close(fd)


def sync_system(path: Path) -> None:
    """Make all that was written on the file system of `path` last, by whomever."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(fd):
            raise SyncFailed(f"syncing {path} failed: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(fd)


def make_dir(path: Path, mode: int = 0o777) -> Path:
    """Make a directory with its parents, each name synced into its parent."""
    if not path.is_dir():
        make_dir(path.parent)
        try:
            with disk_errors(str(path)):
                path.mkdir(mode=mode, exist_ok=True)
        except FileExistsError as error:
            told = f"{path} is in the way: a directory must stand there"
            raise EnvironmentUnusable(told, next_step="move it to another name") from error
        sync_dir(path.parent)
    return path


def make_dir_at(folder: int, name: str) -> None:
    """Make a directory in an open one, its name synced; one that is there already is fine."""
    with suppress(FileExistsError), disk_errors(name):
        os.mkdir(name, dir_fd=folder)
    sync(folder, name)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; a short write is followed by another one, not ignored."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write and sync a file that must not exist yet; its name is not synced."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with disk_errors(str(path)):
            write_all(fd, data)
        sync(fd, str(path))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)


def atomic_write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file so that every reader, and every crash, sees the old or the new bytes."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with disk_errors(str(path)):
        write_new(temporary, data, mode)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_dir(path.parent)


def atomic_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Make a file that is there whole or not at all; FileExistsError when the name is taken."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with disk_errors(str(path)):
        write_new(temporary, data, mode)
    try:
        rename_new(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_dir(path.parent)


def rename(source: Path, target: Path) -> None:
    """Rename over `target`, atomically; the directory is the caller's to sync."""
    source.replace(target)


_libc = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_OPEN_FILES = Path("/proc/self/fd")
_NOREPLACE, _EXCHANGE = 1, 2
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def _renameat2(source: Path, target: Path, flags: int) -> None:
    if _libc.renameat2(*_at(source), *_at(target), flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(source), None, str(target))


def _at(path: Path) -> tuple[int, bytes]:
    """An open directory with a name in it, where the path leads over one, else the path itself."""
    held = path.parent
    if held.parent == _OPEN_FILES:
        return int(held.name), os.fsencode(path.name)
    return _AT_FDCWD, os.fsencode(path)


def exchange(one: Path, other: Path) -> None:
    """Swap two files, so that neither is without a name at any moment.

    Where the file system cannot, `other` becomes `one` by a plain rename and its old bytes get the
    name of `one` through a link made before.
    """
    try:
        _renameat2(one, other, _EXCHANGE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        spare = one.with_name(one.name + ".spare")
        spare.unlink(missing_ok=True)
        os.link(other, spare)
        one.replace(other)
        spare.replace(one)


def rename_new(source: Path, target: Path) -> None:
    """Rename to a name that must be free; FileExistsError when it is not."""
    try:
        _renameat2(source, target, _NOREPLACE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        os.link(source, target)
        source.unlink()


def link(source: Path, target: Path) -> None:
    """Give a file a second name; FileExistsError when it is taken."""
    os.link(source, target)


def open_append(path: Path, mode: int = 0o600) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)


def append(fd: int, data: bytes, size: int, what: str) -> None:
    """Append to a file of `size` bytes; what a full disk left of it is taken back. Not synced."""
    try:
        with disk_errors(what):
            write_all(fd, data)
    except OSError as error:
        raise SyncFailed(f"writing {what} failed: {error.strerror}") from error
    except DiskFull:
        os.ftruncate(fd, size)
        sync(fd, what)
        raise


def truncate(path: Path, size: int) -> None:
    """Cut a file, lastingly."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(fd, size)
        sync(fd, str(path))
    finally:
        os.close(fd)


def sync_names(folder: Path, top: Path) -> None:
    """Make the names in a directory and in every one above it, up to `top`, last."""
    while True:
        if folder.is_dir():
            sync_dir(folder)
        if folder == top or folder == folder.parent:
            return
        folder = folder.parent


def require_space(folder: Path, wanted: int) -> None:
    """DiskFull when less than `wanted` bytes, or few inodes, are free where `folder` lies."""
    state = os.statvfs(folder)
    free = state.f_bavail * state.f_frsize
    if free < wanted:
        raise DiskFull(f"{folder} has {free >> 20} MiB free, {wanted >> 20} MiB are needed")
    if state.f_files and state.f_favail < FEW_INODES:
        raise DiskFull(f"{folder} has {state.f_favail} inodes free, {FEW_INODES} are needed")


def copy(source: Path, target: Path) -> None:
    """Copy a file's bytes and mode; not synced."""
    with disk_errors(str(target)):
        shutil.copyfile(source, target)
        shutil.copymode(source, target)


def remove_tree(path: Path) -> None:
    """Remove a directory with all it holds; one that is gone already is fine."""
    if path.exists():
        shutil.rmtree(path)
        sync_dir(path.parent)


def remove(path: Path) -> None:
    """Remove a file, lastingly; one that is gone already is fine."""
    if path.exists() or path.is_symlink():
        path.unlink(missing_ok=True)
        sync_dir(path.parent)


class Lock:
    """An exclusive lock that dies with its holder. The file is never removed.

    Its content names the holder for messages only: process, start time, boot and host.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, holder: str) -> None:
        """Take the lock or raise LockHeld with the holder's name."""
        make_dir(self.path.parent)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            other = os.pread(fd, 1000, 0).decode(errors="replace").strip()
            os.close(fd)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise LockHeld(f"{self.path} is held by {other or 'another process'}") from None
        try:
            with disk_errors(str(self.path)):
                os.ftruncate(fd, 0)
                os.pwrite(fd, holder.encode(), 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None
