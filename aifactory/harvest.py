"""What stands in a workspace beyond its tree: taken out as files, put in as files.

Code in a cage may have made anything: only regular files of bounded size are taken, never through
a link; the rest is named with the reason.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from aifactory import beneath, checkout, paths
from aifactory.errors import EditRefused
from aifactory.git import Entry, Repository
from aifactory.workspace import Workspace

CACHES = re.compile(r"(^|/)(__pycache__|\.\w+_cache|\.hypothesis)(/|$)|\.pyc$")
EXECUTABLE, PLAIN = "100755", "100644"


@dataclass(frozen=True)
class File:
    content: bytes
    mode: str


@dataclass
class Harvest:
    """The files that differ from the tree, None for one that is gone; `left`: path to reason."""

    files: dict[str, File | None] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def harvest(
    workspace: Workspace,
    repository: Repository,
    most_bytes: int,
    asked: Collection[str] = (),
) -> Harvest:
    """Everything that differs from the tree of the last checkout; nothing is put back.

    New paths that the repository ignores and caches are not taken unless they are `asked` for.
    EditRefused when the files have more than `most_bytes` together.
    """
    found = Harvest()
    budget = most_bytes
    with workspace.opened() as (root, _):
        differing = dict(_differing(root, workspace, repository))
        for path in sorted({*differing, *(path for path in asked if path not in differing)}):
            file, why = _read(root, path, budget)
            if file is not None:
                found.files[path] = file
                budget -= len(file.content)
            elif why != "gone":
                found.left[path] = why
            elif differing.get(path):
                found.files[path] = None
    return found


def _differing(
    root: int, workspace: Workspace, repository: Repository
) -> Iterator[tuple[str, bool]]:
    """Paths to look at, and whether the tree holds them."""
    listing = workspace.wanted
    seen = checkout.scan(root, listing, workspace.index, workspace.owner)
    changed = checkout.changed(root, repository, listing, seen, workspace.index)
    yield from ((path, True) for path in changed)
    new = [path for path in seen.foreign if not CACHES.search(path)]
    new += [path for path in changed if _is_folder(root, path)]
    folders = {path for path in new if _is_folder(root, path)}
    ignored = repository.ignored(f"{path}/" if path in folders else path for path in new)
    inside = [
        below
        for path in new
        if path not in folders or f"{path}/" not in ignored
        for below in (_below(root, path, workspace.owner) if path in folders else [path])
    ]
    ignored |= repository.ignored(inside)
    yield from ((path, False) for path in sorted(inside) if path not in ignored)


def _is_folder(root: int, path: str) -> bool:
    where, _, name = path.rpartition("/")
    with suppress(OSError), beneath.folder(root, where) as fd:
        return stat.S_ISDIR(os.lstat(name, dir_fd=fd).st_mode)
    return False


def _below(root: int, top: str, owner: beneath.Owner) -> Iterator[str]:
    """Every path below a directory that is no directory itself, but caches and Git's own."""
    pending = [top]
    while pending:
        path = pending.pop()
        where, _, name = path.rpartition("/")
        if paths.is_git(name):
            continue
        with beneath.folder(root, where) as fd:
            beneath.claim(fd, name, beneath.FOLDER_MODE, owner)
        with beneath.folder(root, path) as fd, os.scandir(fd) as entries:
            for entry in entries:
                below = f"{path}/{entry.name}"
                if CACHES.search(below):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(below)
                else:
                    yield below


def _read(root: int, path: str, budget: int) -> tuple[File | None, str]:
    """A file, or why it cannot be taken."""
    where, _, name = path.rpartition("/")
    try:
        with beneath.folder(root, where) as fd:
            status = os.lstat(name, dir_fd=fd)
    except (FileNotFoundError, NotADirectoryError):
        return None, "gone"
    except OSError as error:
        return None, error.strerror or "cannot be read"
    if stat.S_ISDIR(status.st_mode):
        return None, "gone"
    if why := paths.refusal(path):
        return None, why
    if not stat.S_ISREG(status.st_mode):
        return None, "is no regular file"
    if status.st_size > budget:
        raise EditRefused(f"{path}: the files that were made or changed are too large together")
    content = beneath.read(root, path, status.st_size)
    if content is None:
        return None, "cannot be read, or has a second name"
    return File(content, EXECUTABLE if status.st_mode & stat.S_IXUSR else PLAIN), ""


def put(workspace: Workspace, path: str, file: File | None) -> None:
    """Let a file stand at `path`, or nothing, whatever stood there or on the way."""
    where, _, name = path.rpartition("/")
    with workspace.opened() as (root, trash):
        at = ""
        for part in filter(None, where.split("/")):
            with beneath.folder(root, at) as fd:
                _make_folder(fd, part, trash, workspace.owner)
            at = f"{at}/{part}" if at else part
        with beneath.folder(root, at) as fd:
            beneath.discard(fd, name, trash)
            if file is not None:
                entry = Entry(file.mode, "")
                checkout.write_file(fd, name, entry, file.content, workspace.owner)
        beneath.empty(trash)


def _make_folder(fd: int, name: str, trash: int, owner: beneath.Owner) -> None:
    try:
        if stat.S_ISDIR(os.lstat(name, dir_fd=fd).st_mode):
            return
        beneath.discard(fd, name, trash)
    except FileNotFoundError:
        pass
    os.mkdir(name, beneath.OWN_MODE, dir_fd=fd)
    beneath.claim(fd, name, beneath.FOLDER_MODE, owner)
