"""The user's index: its lock, its entries, and a new one built beside it.

The lock is a hard link of a file of ours, so that one that a crash left is known as ours by its
inode, and another program's is never removed (study: durability, section 3.1).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aifactory import files
from aifactory.git import Entry, Repository
from aifactory.intent import Worktree

LOCK_TEXT = (
    b"aifactory holds this lock while it lands a task; it is released when the daemon starts\n"
)
PLAIN = "H"


class Staged(NamedTuple):
    """One entry of the index. `tag` is `H` for a plain one; anything else needs a person."""

    entry: Entry
    stage: int
    tag: str


def environment(worktree: Worktree, index: Path, op: str = "") -> dict[str, str]:
    return {
        "GIT_DIR": str(worktree.git_dir),
        "GIT_WORK_TREE": str(worktree.root),
        "GIT_INDEX_FILE": str(index),
        "GIT_LITERAL_PATHSPECS": "1",
        "AIFACTORY_OP": op,
    }


class Listing:
    """The user's index as it was when it was read: sorted, so that a path is found by halving."""

    def __init__(self, listed: bytes) -> None:
        """`listed`: what `git ls-files --stage -v -z` prints."""
        self._listed = listed
        self._records = listed.split(b"\0")[:-1]
        # Tag, mode, id and stage are of one width in all records of a repository.
        width = self._records[0].index(b"\t") + 1 if self._records else 0
        self._paths = [record[width:] for record in self._records]

    def find(self, path: str) -> Staged | None:
        """The entry of a path; of one in conflict the first."""
        name = path.encode(errors="surrogateescape")
        at = bisect_left(self._paths, name)
        if at == len(self._paths) or self._paths[at] != name:
            return None
        tag, mode, oid, stage = self._records[at].partition(b"\t")[0].decode().split(" ")
        return Staged(Entry(mode, oid), int(stage), tag)

    def entry(self, path: str) -> Entry | None:
        found = self.find(path)
        return found.entry if found else None

    def below(self, path: str) -> Iterator[str]:
        """The paths in a directory, at any depth."""
        folder = f"{path}/".encode(errors="surrogateescape")
        for at in range(bisect_left(self._paths, folder), len(self._paths)):
            if not self._paths[at].startswith(folder):
                return
            yield self._paths[at].decode(errors="surrogateescape")

    def has_name(self, name: str) -> bool:
        """Whether some directory holds a file of this name."""
        end = name.encode() + b"\0"
        return b"/" + end in self._listed or b"\t" + end in self._listed


def listing(repository: Repository, worktree: Worktree) -> Listing:
    env = environment(worktree, worktree.index)
    return Listing(repository.run("ls-files", "--stage", "-v", "-z", env=env))


def is_ours(worktree: Worktree, token: Path) -> bool:
    """Whether the index is locked, and by a link to this file."""
    try:
        return worktree.index_lock.samefile(token)
    except (FileNotFoundError, NotADirectoryError):
        return False


def lock(worktree: Worktree, token: Path) -> bool:
    """Lock the index; False when another program has it locked."""
    if not token.exists():
        files.write_new(token, LOCK_TEXT)
        files.sync_dir(token.parent)
    try:
        files.link(token, worktree.index_lock)
    except FileExistsError:
        if not is_ours(worktree, token):
            return False
    files.sync_dir(worktree.git_dir)
    return True


def unlock(worktree: Worktree, token: Path) -> None:
    """Release the lock if it is ours."""
    if is_ours(worktree, token):
        files.remove(worktree.index_lock)


def build(
    repository: Repository,
    worktree: Worktree,
    fresh: Path,
    entries: Mapping[str, Entry | None],
    options: Sequence[str],
    op: str,
) -> None:
    """Write `fresh`: the user's index with these entries set or (None) removed, others as they are.

    The files must be in place: their times and sizes go into the index, or Git would read each of
    them again. `options`: settings by which Git tells whether a file is as its entry.
    """
    for leftover in (fresh, fresh.with_name(fresh.name + ".lock")):
        leftover.unlink(missing_ok=True)
    if worktree.index.exists():
        files.copy(worktree.index, fresh)
    env = environment(worktree, fresh, op)
    # The user's untracked cache stays right: Git itself drops what these paths make stale.
    keep = ("-c", "core.untrackedCache=keep", *options)
    listed = lines(entries, repository.null)
    repository.run(*keep, "update-index", "-z", "--index-info", input=listed, env=env)
    if names := sorted(path for path, entry in entries.items() if entry):
        listed = "".join(f"{name}\0" for name in names).encode(errors="surrogateescape")
        refresh = ("add", "--refresh", "--pathspec-from-file=-", "--pathspec-file-nul")
        # Git refuses paths outside a sparse checkout; they are only slower to look at then.
        repository.run(*keep, *refresh, input=listed, env=env, ok=(0, 1, 128))
    files.sync_file(fresh)


def lines(entries: Mapping[str, Entry | None], null: str) -> bytes:
    """Entries as `update-index --index-info -z` reads them; None removes."""

    def line(path: str, entry: Entry | None) -> str:
        return f"{entry.mode} {entry.oid}\t{path}\0" if entry else f"0 {null}\t{path}\0"

    # What goes must go first: a directory may take the place of a file.
    ordered = sorted(entries.items(), key=lambda item: bool(item[1]))
    return "".join(line(*item) for item in ordered).encode(errors="surrogateescape")


def install(worktree: Worktree, fresh: Path) -> None:
    """Put the new index in place, lastingly."""
    files.rename(fresh, worktree.index)
    files.sync_dir(worktree.git_dir)
