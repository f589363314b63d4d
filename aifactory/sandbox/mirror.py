"""Carry a directory into a workspace and bring the changes back, without trusting what is there.

No link is followed and nothing is written through: a file that changed is made anew, so hard
links to elsewhere are not touched. Left out in both directions: `.git` at any depth, what is
neither file, directory nor link, and what lies too deep for a path. Brought back without: setuid
bits, links that lead outside.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aifactory import beneath

LONGEST = 4095  # bytes of a path that the kernel takes
CHUNK, BLOCK = 1 << 20, 4096
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PLAIN = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
User = tuple[int, int]


@dataclass(frozen=True)
class Mark:
    """What tells that an entry was changed; the change time cannot be set back."""

    kind: int
    mode: int
    size: int
    changed_at: int
    inode: int


def measure(directory: Path, leave: frozenset[str]) -> tuple[int, int]:
    """Bytes and entries of what `copy_in` would carry."""
    found = [entry.stat(follow_symlinks=False) for _, entry in _entries(directory, leave)]
    return sum(-(-item.st_size // BLOCK) * BLOCK for item in found), len(found)


def copy_in(source: Path, workspace: Path, user: User | None, leave: frozenset[str]) -> None:
    """Fill an empty workspace; `user` will own it all, `leave` names what stays out at the top."""
    for name, entry in _entries(source, leave):
        target = workspace / name
        found = entry.stat(follow_symlinks=False)
        try:
            _make(Path(entry.path), target, found)
        except PermissionError:
            continue  # what this process may not read, no command of its own may
        if user:
            os.chown(target, *user, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def marks(workspace: Path, leave: frozenset[str]) -> dict[str, Mark]:
    """Where everything stands, to be compared with later."""
    return {
        name: _mark(entry.stat(follow_symlinks=False)) for name, entry in _entries(workspace, leave)
    }


def copy_back(
    workspace: Path, target: Path, before: dict[str, Mark], leave: frozenset[str]
) -> list[str]:
    """Bring what changed since `before` to `target`; returns what was left behind, and why."""
    home, deep = target.stat(), list[str]()
    after = dict(_entries(workspace, leave, deep))
    left = [f"{name}: too deep" for name in deep]
    left += [f"{name}: not removed" for name in sorted(before, reverse=True)
             if name not in after and not _removed(target / name)]  # fmt: skip
    for name, entry in after.items():
        found = entry.stat(follow_symlinks=False)
        if before.get(name) == _mark(found):
            continue
        if stat.S_ISLNK(found.st_mode) and leads_out(name, str(Path(entry.path).readlink())):
            left.append(f"{name}: a link that leads outside")
            continue
        try:
            _replace(Path(entry.path), target / name, found, (home.st_uid, home.st_gid))
        except OSError as error:
            left.append(f"{name}: {error.strerror}")
    return left


def unseen(directory: Path) -> list[Path]:
    """What a mirror leaves out: every `.git`, which is not looked into, pipes, sockets, devices,
    and what lies too deep."""
    found, pending = [], [directory]
    while pending:
        with _scan(pending.pop()) as entries:
            for entry in entries:
                if _too_deep(entry):
                    found.append(Path(entry.path))
                    continue
                kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
                if entry.name.lower() == ".git" or kind not in PLAIN:
                    found.append(Path(entry.path))
                elif kind == stat.S_IFDIR:
                    pending.append(Path(entry.path))
    return found


def other_names(directory: Path, leave: frozenset[str]) -> list[str]:
    """Files that have a name outside, too: who writes here, writes there."""
    found = ((name, item.stat(follow_symlinks=False)) for name, item in _entries(directory, leave))
    linked = [(name, one) for name, one in found if stat.S_ISREG(one.st_mode) and one.st_nlink > 1]
    inside = Counter((one.st_dev, one.st_ino) for _, one in linked)
    return [name for name, one in linked if one.st_nlink > inside[one.st_dev, one.st_ino]]


def tidy(
    directory: Path, before: dict[str, Mark], masked: set[Path], leave: frozenset[str]
) -> list[str]:
    """Remove what `copy_back` would not have brought; returns what it was."""
    left = []
    new = [path for path in unseen(directory) if path not in masked]
    for path in new:
        _discard(path, directory)
        left.append(f"{path.relative_to(directory)}: neither file, directory nor link, or too deep")
    for name, entry in list(_entries(directory, leave)):
        found = entry.stat(follow_symlinks=False)
        if before.get(name) == _mark(found):
            continue
        if not stat.S_ISLNK(found.st_mode):
            Path(entry.path).chmod(stat.S_IMODE(found.st_mode) & 0o777)
        elif leads_out(name, str(Path(entry.path).readlink())):
            _removed(directory / name)
            left.append(f"{name}: a link that leads outside")
    return left


def _discard(path: Path, top: Path) -> None:
    """Remove whatever it is, by way of a directory at the top."""
    trash = Path(tempfile.mkdtemp(dir=top))
    with beneath.opened(trash) as bin:
        # Behind a name of its own, since the top may be a descriptor, whose path is a link.
        fd = os.open(f"{path.parent}/.", beneath.FOLDER)
        try:
            beneath.discard(fd, path.name, bin)
            beneath.empty(bin)
        finally:
            os.close(fd)
    trash.rmdir()


def leads_out(name: str, link: str) -> bool:
    """Whether a link at `name`, relative to the top, may point anywhere but below the top.

    Only `..` at its start is counted: what `..` behind a name means depends on where that leads,
    which may be a link to a place higher up.
    """
    parts = [part for part in link.split("/") if part not in ("", ".")]
    up = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    depth = len(PurePosixPath(name).parts) - 1
    return link.startswith("/") or up > depth or ".." in parts[up:]


def _entries(
    top: Path, leave: frozenset[str], deep: list[str] | None = None
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every entry below `top` with its relative name, each directory before what is in it.

    What lies too deep is put into `deep` and not looked into.
    """
    pending = [""]
    while pending:
        parent = pending.pop()
        with _scan(top / parent) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                name = f"{parent}/{entry.name}" if parent else entry.name
                if _too_deep(entry):
                    (deep if deep is not None else []).append(name)
                    continue
                kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
                if name in leave or entry.name.lower() == ".git" or kind not in PLAIN:
                    continue
                yield name, entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(name)


def _too_deep(entry: os.DirEntry[str]) -> bool:
    return len(os.fsencode(entry.path)) > LONGEST


def _scan(directory: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    """Look into a directory, also when a command shut it to hide what is in it."""
    try:
        return os.scandir(directory)
    except PermissionError:
        directory.chmod(0o700)
        return os.scandir(directory)


def _mark(found: os.stat_result) -> Mark:
    if stat.S_ISDIR(found.st_mode):
        return Mark(stat.S_IFDIR, stat.S_IMODE(found.st_mode), 0, 0, 0)
    kind, mode = stat.S_IFMT(found.st_mode), stat.S_IMODE(found.st_mode)
    return Mark(kind, mode, found.st_size, found.st_ctime_ns, found.st_ino)


def _replace(source: Path, target: Path, found: os.stat_result, owner: User) -> None:
    """Put one entry in place of whatever is there; a directory that is there stays."""
    there = target.lstat() if os.path.lexists(target) else None
    stays = there and stat.S_ISDIR(there.st_mode) and stat.S_ISDIR(found.st_mode)
    if there and not stays and stat.S_IFMT(there.st_mode) in PLAIN:
        _removed(target)  # if not, making it anew says why
    if stays:
        target.chmod(stat.S_IMODE(found.st_mode) & 0o777)
        return
    _make(source, target, found)
    if os.geteuid() == 0:
        os.chown(target, *((there.st_uid, there.st_gid) if there else owner), follow_symlinks=False)


def _make(source: Path, target: Path, found: os.stat_result) -> None:
    """Make a new entry like `source`; anything at `target` is an error."""
    mode = stat.S_IMODE(found.st_mode) & 0o777
    if stat.S_ISLNK(found.st_mode):
        target.symlink_to(source.readlink())
    elif stat.S_ISDIR(found.st_mode):
        target.mkdir()
        target.chmod(mode | 0o700)
    else:
        _make_file(source, target, mode)


def _make_file(source: Path, target: Path, mode: int) -> None:
    with open(os.open(source, READ), "rb") as origin:
        if not stat.S_ISREG(os.fstat(origin.fileno()).st_mode):
            return
        with open(os.open(target, MAKE, 0o600), "wb") as copy:
            shutil.copyfileobj(origin, copy, CHUNK)
            os.fchmod(copy.fileno(), mode)


def _removed(path: Path) -> bool:
    """Remove one entry; a directory stays when something that was left out is still in it."""
    try:
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
