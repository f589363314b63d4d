"""Bringing a directory that untrusted code has written in to a tree: look, compare, write.

Blobs are written as they are: no end-of-line conversion, no filter, no attribute of the tree.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from aifactory import beneath, files, paths
from aifactory.beneath import Owner
from aifactory.errors import GitFailed
from aifactory.git import Entry, Repository

LINK = "120000"
SUBMODULE = "160000"
_MODES = {"100755": 0o755}
_READ_AT_ONCE = 16 * 1024 * 1024
_CLOCK_REALTIME_COARSE = 5
_MOST_TICKS = 50

Stamp = tuple[int, ...]
_CTIME, _SIZE = 1, 3


class Known(NamedTuple):
    """What we wrote under a path, and how `lstat` saw it then."""

    entry: Entry
    stamp: Stamp


Index = dict[str, Known]


@dataclass(frozen=True)
class Listing:
    """A tree as a directory should hold it. A submodule is an empty folder."""

    tree: str
    files: Mapping[str, Entry]
    folders: frozenset[str]


@dataclass
class Found:
    """What a look at the directory gave: `kept` is as we wrote it, `stale` stands under a tracked
    path but is not, `foreign` is not in the tree."""

    kept: Index = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)


def listing(repository: Repository, tree: str) -> Listing:
    """What a tree holds. Raises GitFailed for a tree with a name that no directory may hold."""
    found = repository.tree(tree)
    folders: set[str] = set()
    for path, entry in found.items():
        where = path if entry.mode == SUBMODULE else path.rpartition("/")[0]
        while where and where not in folders:
            folders.add(where)
            where = where.rpartition("/")[0]
    for path in (*found, *folders):
        if _forbidden(path.rpartition("/")[2]):
            raise GitFailed(f"tree {tree} holds the path {path!r}, which Git never checks out")
    tracked = {path: entry for path, entry in found.items() if entry.mode != SUBMODULE}
    return Listing(tree, tracked, frozenset(folders))


@lru_cache(maxsize=1 << 17)
def _forbidden(name: str) -> bool:
    return name in ("", ".", "..") or paths.is_git(name)


def scan(root: int, wanted: Listing, index: Index, owner: Owner, keep: Sequence[str] = ()) -> Found:
    """Look at everything, and make the folders of the tree ours to work in."""
    found = Found()
    pending = [""]
    while pending:
        where = pending.pop()
        with beneath.folder(root, where) as fd, os.scandir(fd) as entries:
            for entry in entries:
                path = f"{where}/{entry.name}" if where else entry.name
                status = entry.stat(follow_symlinks=False)
                if path in wanted.files:
                    known = index.get(path)
                    if known and known == (wanted.files[path], _stamp(status)):
                        found.kept[path] = known
                    else:
                        found.stale.append(path)
                elif path in wanted.folders and stat.S_ISDIR(status.st_mode):
                    _own(fd, entry.name, status, owner)
                    found.folders.add(path)
                    pending.append(path)
                elif path in wanted.folders or not paths.match(keep, path):
                    found.foreign.append(path)
    return found


def _own(fd: int, name: str, status: os.stat_result, owner: Owner) -> None:
    right = stat.S_IMODE(status.st_mode) == beneath.FOLDER_MODE
    if not right or (owner and owner != (status.st_uid, status.st_gid)):
        beneath.claim(fd, name, beneath.FOLDER_MODE, owner)


def changed(
    root: int, repository: Repository, wanted: Listing, found: Found, index: Index
) -> list[str]:
    """The tracked paths whose bytes, kind or executable bit are not those of the tree."""
    standing = found.kept.keys() | set(found.stale)
    gone = [path for path in wanted.files if path not in standing]
    other = (
        path
        for path in found.stale
        if not _holds(root, path, wanted.files[path], index.get(path), repository.object_format)
    )
    return sorted([*gone, *other])


def _holds(root: int, path: str, entry: Entry, known: Known | None, object_format: str) -> bool:
    """Whether what stands at a path is still this entry, though its stamp is another."""
    where, _, name = path.rpartition("/")
    with beneath.folder(root, where) as fd:
        status = os.lstat(name, dir_fd=fd)
        # What grew is not read: it may be as large as a command could make it.
        if known is None or known.entry != entry or known.stamp[_SIZE] != status.st_size:
            return False
        if stat.S_ISLNK(status.st_mode):
            data = os.fsencode(os.readlink(name, dir_fd=fd))
            return Entry(LINK, _oid(data, object_format)) == entry
    content = beneath.read(root, path, status.st_size)
    mode = "100755" if status.st_mode & stat.S_IXUSR else "100644"
    return content is not None and Entry(mode, _oid(content, object_format)) == entry


def _oid(data: bytes, object_format: str) -> str:
    return hashlib.new(object_format, b"blob %d\0" % len(data) + data).hexdigest()


def write(root: int, repository: Repository, wanted: Listing, found: Found, owner: Owner) -> Index:
    """Make what is missing, and give the index of the whole directory."""
    for path in sorted(wanted.folders - found.folders):
        where, _, name = path.rpartition("/")
        with beneath.folder(root, where) as fd:
            os.mkdir(name, beneath.OWN_MODE, dir_fd=fd)
            beneath.claim(fd, name, beneath.FOLDER_MODE, owner)
    index = found.kept
    missing = {path: entry for path, entry in wanted.files.items() if path not in index}
    holders: dict[str, list[str]] = {}
    for path, entry in missing.items():
        holders.setdefault(entry.oid, []).append(path)
    for oid, data in blobs(repository, holders):
        for path in holders[oid]:
            where, _, name = path.rpartition("/")
            with beneath.folder(root, where) as fd:
                index[path] = Known(missing[path], write_file(fd, name, missing[path], data, owner))
    _settle(index[path].stamp[_CTIME] for path in missing)
    return index


def write_file(fd: int, name: str, entry: Entry, data: bytes, owner: Owner) -> Stamp:
    """Make a file or a link where nothing stands."""
    if entry.mode == LINK:
        os.symlink(os.fsdecode(data), name, dir_fd=fd)
        if owner:
            os.chown(name, *owner, dir_fd=fd, follow_symlinks=False)
        return _stamp(os.lstat(name, dir_fd=fd))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    new = os.open(name, flags, 0o600, dir_fd=fd)
    try:
        files.write_all(new, data)
        if owner:
            os.fchown(new, *owner)
        os.fchmod(new, _MODES.get(entry.mode, 0o644))
        return _stamp(os.fstat(new))
    finally:
        os.close(new)


def _stamp(status: os.stat_result) -> Stamp:
    return (
        status.st_ino,
        status.st_ctime_ns,
        status.st_mtime_ns,
        status.st_size,
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_dev,
    )


def _settle(changed_ns: Iterable[int]) -> None:
    """Wait until the file system's clock has moved on.

    A kernel stamps files by its tick (1 to 10 ms): what a command writes within the same tick as
    we did would look untouched.
    """
    newest = max(changed_ns, default=0)
    for _ in range(_MOST_TICKS):
        if time.clock_gettime_ns(_CLOCK_REALTIME_COARSE) > newest:
            return
        time.sleep(0.001)


def blobs(repository: Repository, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Blobs with their ids, a bounded number of bytes in memory at once."""
    for chunk in _chunks(repository, list(oids)):
        out = memoryview(repository.run("cat-file", "--batch", "--buffer", input=_lines(chunk)))
        at = 0
        for oid in chunk:
            end = at + bytes(out[at : at + 200]).index(b"\n")
            size = int(bytes(out[at:end]).split(b" ")[2])
            yield oid, bytes(out[end + 1 : end + 1 + size])
            at = end + size + 2


def _chunks(repository: Repository, oids: list[str]) -> Iterator[list[str]]:
    if not oids:
        return
    form = "--batch-check=%(objecttype) %(objectsize)"
    lines = repository.run("cat-file", form, "--buffer", input=_lines(oids)).decode().splitlines()
    at, total = [], 0
    for oid, line in zip(oids, lines, strict=True):
        kind, _, size = line.partition(" ")
        if kind != "blob":
            raise GitFailed(f"blob {oid} cannot be read: {line}")
        total += int(size)
        at.append(total // _READ_AT_ONCE)
    for _, group in groupby(zip(at, oids, strict=True), key=lambda pair: pair[0]):
        yield [oid for _, oid in group]


def _lines(oids: Sequence[str]) -> bytes:
    return "\n".join(oids).encode() + b"\n"


def freeze(index: Index) -> dict[str, list[object]]:
    """The index as plain JSON."""
    return {path: [*known.entry, *known.stamp] for path, known in index.items()}


def thaw(document: Mapping[str, list[object]]) -> Index:
    return {
        path: Known(Entry(str(mode), str(oid)), tuple(map(int, map(str, stamp))))
        for path, (mode, oid, *stamp) in document.items()
    }
