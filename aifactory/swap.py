"""The user's files, one by one, from one known content to the other.

A file is exchanged for one that lies ready in the stage, and exchanged back when what came out is
not what was expected. The user's bytes have a name at every moment. All of it may be done again.
A file's directory is entered name by name, without links, and held open meanwhile: who puts a
link in its place redirects nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat as modes
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aifactory import beneath, failpoints, files
from aifactory.git import Entry
from aifactory.intent import Intent, Move, Side

SPECIAL = Entry("special", "")

Supply = Callable[[Move, Side], bytes]


def found(path: Path, object_format: str) -> Entry | None:
    """Mode and blob id of a file's bytes; None where no file is, as where a directory is, and
    SPECIAL for a link or a device."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return SPECIAL
    try:
        status = os.fstat(fd)
        if modes.S_ISDIR(status.st_mode):
            return None
        if not modes.S_ISREG(status.st_mode):
            return SPECIAL
        with open(fd, "rb", closefd=False) as file:
            data = file.read()
    finally:
        os.close(fd)
    mode = "100755" if status.st_mode & modes.S_IXUSR else "100644"
    return Entry(mode, blob_id(data, object_format))


def blob_id(data: bytes, object_format: str) -> str:
    return hashlib.new(object_format, b"blob %d\0" % len(data) + data).hexdigest()


def alike(one: Entry | None, other: Entry | None, *, modes: bool) -> bool:
    """Whether the bytes are the same, and the mode where the file system keeps it."""
    if one is None or other is None or modes:
        return one == other
    return one.oid == other.oid


def parents(path: str) -> list[str]:
    """`a/b/c` -> `a`, `a/b`."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def spare(stage: Path, number: int, side: Side) -> Path:
    """The name in the stage of one path's content on one side."""
    return stage / f"{number}.{side}"


def lay_ready(stage: Path, number: int, move: Move, side: Side, supply: Supply) -> None:
    """Write the content of one side into the stage, synced; its name is not."""
    wanted = move.bytes_at(side)
    assert wanted
    path = spare(stage, number, side)
    path.unlink(missing_ok=True)
    files.write_new(path, supply(move, side), 0o777 if wanted.mode == "100755" else 0o666)


def bring(
    intent: Intent,
    stage: Path,
    side: Side,
    supply: Supply,
    object_format: str,
    leave: Collection[str],
) -> list[str]:
    """Bring every file but `leave` to one side. Gives the paths left with the user's own bytes."""
    assert intent.worktree
    numbered = [item for item in enumerate(intent.moves) if item[1].path not in leave]
    # What goes must go first: a directory may take the place of a file.
    numbered.sort(key=lambda item: item[1].bytes_at(side) is not None)
    kept, touched = [], set()
    with beneath.opened(intent.worktree.root) as root:
        for number, move in numbered:
            one = _Swap(intent, root, stage, number, move, side, object_format)
            if not one.bring(supply):
                kept.append(move.path)
            folder = move.path.rpartition("/")[0]
            touched |= {folder, *_empty_folders_removed(intent, root, move, side)}
            failpoints.hit("landing.file")
        files.sync_dir(stage)
        for folder in touched:
            with _held(root, folder) as place:
                if place:
                    files.sync_dir(place)
    return kept


@contextmanager
def _held(root: int, folder: str) -> Iterator[Path | None]:
    """A directory below the root, held open; None where there is none, or a link on the way."""
    try:
        fd = beneath.enter(root, folder)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    try:
        yield beneath.pinned(fd)
    finally:
        os.close(fd)


def _make_folders(root: int, path: str) -> None:
    """Make the directories above a file, as far as nothing else stands in the way."""
    with suppress(FileExistsError, FileNotFoundError, NotADirectoryError):
        for name in parents(path):
            above, _, last = name.rpartition("/")
            with beneath.folder(root, above) as fd:
                files.make_dir_at(fd, last)


class _Swap:
    """One path on its way to one side."""

    def __init__(
        self,
        intent: Intent,
        root: int,
        stage: Path,
        number: int,
        move: Move,
        side: Side,
        object_format: str,
    ) -> None:
        self.intent, self.root, self.move = intent, root, move
        self.stage, self.number = stage, number
        self.side = side
        self.other: Side = "old" if side == "new" else "new"
        self.object_format = object_format

    def is_at(self, path: Path, side: Side) -> bool:
        now = found(path, self.object_format)
        return alike(now, self.move.bytes_at(side), modes=self.intent.modes)

    def bring(self, supply: Supply) -> bool:
        goes = self.move.bytes_at(self.side) is None
        if not goes and self.move.bytes_at(self.other) is None:
            _make_folders(self.root, self.move.path)
        folder, _, name = self.move.path.rpartition("/")
        with _held(self.root, folder) as place:
            return self._bring_at(place / name, supply) if place else goes

    def _bring_at(self, path: Path, supply: Supply) -> bool:
        if self.is_at(path, self.side):
            return True
        if not self.is_at(path, self.other):
            return False
        if self.move.bytes_at(self.side) is None:
            return self._take_out(path)
        came_out = spare(self.stage, self.number, self.other)
        if self.side == "old" and self.move.new and self._is_unseen(came_out):
            files.exchange(came_out, path)
            return self.is_at(path, self.side)
        fresh = spare(self.stage, self.number, self.side)
        if not self.is_at(fresh, self.side):
            lay_ready(self.stage, self.number, self.move, self.side, supply)
        if self.move.bytes_at(self.other) is None:
            return _put_in(fresh, path)
        return self._exchange(fresh, path)

    def _is_unseen(self, came_out: Path) -> bool:
        """Whether a crash came between an exchange and the look at what came out: it lies under
        the name of what went in, and may be the user's."""
        now = found(came_out, self.object_format)
        expected = self.move.bytes_at(self.other)
        return now is not None and not alike(now, expected, modes=self.intent.modes)

    def _take_out(self, path: Path) -> bool:
        out = spare(self.stage, self.number, self.other)
        out.unlink(missing_ok=True)
        files.rename_new(path, out)
        if self.is_at(out, self.other):
            return True
        files.rename_new(out, path)
        return False

    def _exchange(self, fresh: Path, path: Path) -> bool:
        files.exchange(fresh, path)
        if self.is_at(fresh, self.other):
            fresh.replace(spare(self.stage, self.number, self.other))
            return True
        files.exchange(fresh, path)
        return False


def _put_in(fresh: Path, path: Path) -> bool:
    try:
        files.rename_new(fresh, path)
    except FileExistsError:
        return False
    return True


def _empty_folders_removed(intent: Intent, root: int, move: Move, side: Side) -> list[str]:
    """Remove the directories that a file left empty, as Git does. Gives those that lost a name."""
    lost: list[str] = []
    if move.bytes_at(side) is not None:
        return lost
    for name in reversed(parents(move.path)):
        if side == "old" and name not in intent.made:
            break
        above, _, last = name.rpartition("/")
        try:
            with beneath.folder(root, above) as fd:
                os.rmdir(last, dir_fd=fd)
        except FileNotFoundError:
            continue
        except OSError:
            break
        lost.append(above)
    return lost
