"""Trees in and out: a pool of plain directories, each with one tree of the repository, no `.git`.

A slot is brought from tree to tree by writing only what differs. What stands in it is known by an
index outside: inode, times, size and mode as they were when we wrote the file. Code in a sandbox
can set a file's mtime but not its ctime, so a file with the same stamp has the same bytes
(study: durability, section 3).
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition
from typing import Any, NamedTuple

from aifactory import beneath, checkout, files
from aifactory.beneath import Owner
from aifactory.checkout import Found, Index, Listing
from aifactory.errors import EnvironmentUnusable, LockHeld
from aifactory.git import Repository
from aifactory.layout import Layout

MOST_SLOTS = 64
PASSABLE, PRIVATE = 0o711, 0o700
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Restored(NamedTuple):
    """What a command did to a workspace, undone: tracked paths put back, untracked ones removed."""

    changed: list[str]
    removed: list[str]


class Workspace:
    """One slot, leased: `path` is the directory that a sandbox gets.

    Everything in it belongs to the slot's user, its parents to the daemon.
    """

    def __init__(self, number: int, home: Path, owner: Owner, index: Index) -> None:
        self.number = number
        self.path = home / "tree"
        self.owner = owner
        self.index = index
        self._trash = home / "trash"
        self._wanted: tuple[Repository, Listing] | None = None
        _make(home.parent.parent, PASSABLE)
        for place, mode in ((home.parent, PASSABLE), (home, PASSABLE), (self._trash, PRIVATE)):
            make_own(place, mode)
        if not index:
            self._renew()

    def checkout(self, repository: Repository, tree: str) -> None:
        """Hold exactly this tree, byte for byte its blobs, and nothing else.

        Only what differs is written. A slot that cannot be mended is deleted and made anew.
        Raises GitFailed for a tree that cannot be read, DiskFull, EnvironmentUnusable.
        """
        wanted = checkout.listing(repository, tree)
        self._wanted = (repository, wanted)
        try:
            self._bring(repository, wanted)
        except OSError:
            self._renew()
            try:
                self._bring(repository, wanted)
            except OSError as error:
                raise EnvironmentUnusable(
                    f"workspace {self.path} cannot be made: {error}"
                ) from error

    def restore(self, keep: Sequence[str] = ()) -> Restored:
        """Undo what a command did since `checkout`: the tree stands again as it was.

        Untracked paths are removed too, since they could prepare the ground for the next command
        (a `conftest.py`, a cached `.pyc`), except those that a glob in `keep` means. A slot that
        had to be made anew counts as one changed path, `.`.
        """
        if self._wanted is None:
            return Restored([], [])
        repository, wanted = self._wanted
        try:
            with self.opened() as places:
                found = checkout.scan(places[0], wanted, self.index, self.owner, keep)
                changed = checkout.changed(places[0], repository, wanted, found, self.index)
                self._put_right(*places, repository, wanted, found)
        except OSError:
            self.checkout(repository, wanted.tree)
            return Restored(["."], [])
        return Restored(changed, sorted(found.foreign))

    def seen(self) -> Restored:
        """What `restore` would undo, left as it is."""
        if self._wanted is None:
            return Restored([], [])
        repository, wanted = self._wanted
        try:
            with self.opened() as places:
                found = checkout.scan(places[0], wanted, self.index, self.owner)
                changed = checkout.changed(places[0], repository, wanted, found, self.index)
        except OSError:
            return Restored(["."], [])
        return Restored(changed, sorted(found.foreign))

    def link(self, links: Mapping[str, Path]) -> None:
        """Show what lies elsewhere at paths of the tree that nothing has taken; `restore` takes
        the links away again."""
        with beneath.opened(self.path) as root:
            for path, target in links.items():
                where, _, name = path.rpartition("/")
                missing = (FileExistsError, FileNotFoundError, NotADirectoryError)
                with suppress(*missing), beneath.folder(root, where) as fd:
                    os.symlink(target, name, dir_fd=fd)

    def read(self, path: str, limit: int) -> bytes | None:
        """A regular file of at most `limit` bytes, or None; never through a link."""
        with beneath.opened(self.path) as root:
            return beneath.read(root, path, limit)

    def _bring(self, repository: Repository, wanted: Listing) -> None:
        with self.opened() as places:
            found = checkout.scan(places[0], wanted, self.index, self.owner)
            self._put_right(*places, repository, wanted, found)

    def _put_right(
        self, root: int, trash: int, repository: Repository, wanted: Listing, found: Found
    ) -> None:
        for path in (*found.foreign, *found.stale):
            with beneath.folder(root, path.rpartition("/")[0]) as fd:
                beneath.discard(fd, path.rpartition("/")[2], trash)
        beneath.empty(trash)
        self.index = checkout.write(root, repository, wanted, found, self.owner)

    @property
    def wanted(self) -> Listing:
        """The tree of the last checkout."""
        assert self._wanted is not None, "nothing was checked out yet"
        return self._wanted[1]

    @contextmanager
    def opened(self) -> Iterator[tuple[int, int]]:
        """The tree and the trash as open directories, the tree ours to work in."""
        with (
            files.disk_errors(f"workspace {self.number}"),
            beneath.opened(self.path) as root,
            beneath.opened(self._trash) as trash,
        ):
            beneath.claim(root, ".", beneath.FOLDER_MODE, self.owner)
            yield root, trash

    def _renew(self) -> None:
        self.index = {}
        with (
            files.disk_errors(f"workspace {self.number}"),
            beneath.opened(self.path.parent) as home,
            beneath.opened(self._trash) as trash,
        ):
            beneath.discard(home, self.path.name, trash)
            beneath.empty(trash)
            _make(self.path, beneath.FOLDER_MODE)
            beneath.claim(home, self.path.name, beneath.FOLDER_MODE, self.owner)


def _make(place: Path, mode: int) -> None:
    """Make a directory with this mode, whatever the umask; one that exists is left as it is."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        place.mkdir()
        place.chmod(mode)


def make_own(place: Path, mode: int) -> None:
    """As `_make`, and nobody else may have made it: who can rename what we trust, can link it."""
    _make(place, mode)
    if place.is_symlink() or place.stat().st_uid != os.geteuid():
        raise EnvironmentUnusable(
            f"{place} is a link or belongs to another user",
            next_step="remove it, or set AIFACTORY_CACHE_DIR to a directory of your own",
        )


class Workspaces:
    """The pool: as many slots as were ever leased at once, reused from the lowest number.

    `owner` gives the user that a slot's files belong to, None for the daemon's own. A slot that
    was leased when its daemon died has no index and is made anew by the next one.
    """

    def __init__(
        self, repository: Repository, layout: Layout, owner: Callable[[int], Owner]
    ) -> None:
        self.repository = repository
        self._places = layout.cache
        self._indexes = layout.indexes
        self._owner = owner
        self._freed = Condition()
        self._leased: set[int] = set()
        self._idle: dict[int, Index] = {}

    @contextmanager
    def lease(self) -> Iterator[Workspace]:
        """A workspace that nobody else has until the end of the block; waits for a free slot.

        Its content is left over from before: start with `checkout`.
        """
        number, lock = self._take()
        try:
            owner = self._owner(number)
            index = self._idle.pop(number, None) or _load(self._index(number), owner)
            self._index(number).unlink(missing_ok=True)
            workspace = Workspace(number, self._places / str(number), owner, index)
            try:
                yield workspace
            finally:
                self._idle[number] = workspace.index
        finally:
            lock.release()
            with self._freed:
                self._leased.discard(number)
                self._freed.notify()

    def close(self) -> None:
        """Keep what the idle slots hold, so that the next daemon starts with warm ones."""
        for number, index in self._idle.items():
            _save(self._index(number), index, self._owner(number))
        self._idle.clear()

    def _index(self, number: int) -> Path:
        return self._indexes / f"{number}.json"

    def _take(self) -> tuple[int, files.Lock]:
        with self._freed:
            while True:
                for number in range(1, MOST_SLOTS):
                    lock = files.Lock(self._indexes / f"{number}.lock")
                    if number not in self._leased and _held(lock):
                        self._leased.add(number)
                        return number, lock
                if not self._leased:
                    raise EnvironmentUnusable("other processes use every workspace")
                self._freed.wait()


def _held(lock: files.Lock) -> bool:
    try:
        lock.acquire(f"process {os.getpid()}")
    except LockHeld:
        return False
    return True


def _load(path: Path, owner: Owner) -> Index:
    """The index that was saved since the machine started, for this owner.

    A power cut may have lost bytes of files whose stamps it kept, and the user of a slot may
    change from one daemon to the next.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return checkout.thaw(document["index"]) if document.get("bound") == _bound(owner) else {}


def _save(path: Path, index: Index, owner: Owner) -> None:
    temporary = path.with_suffix(".tmp")
    document = {"bound": _bound(owner), "index": checkout.freeze(index)}
    temporary.write_text(json.dumps(document), encoding="ascii")
    files.rename(temporary, path)


def _bound(owner: Owner) -> str:
    """What an index is good for: this boot of the machine, this owner, this format."""
    boot = _BOOT.read_text().strip() if _BOOT.exists() else secrets.token_hex(8)
    return f"1 {boot} {owner}"
