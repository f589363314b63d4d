"""A layer under the program that sees all it does to the disk: to crash it, or to judge it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aifactory import files
from aifactory.git import Repository

NAMES = ("rename", "replace", "link", "unlink", "remove", "mkdir", "rmdir", "symlink")
DATA = ("write", "truncate", "ftruncate")
READING = (
    "cat-file",
    "ls-files",
    "ls-tree",
    "rev-parse",
    "config",
    "log",
    "merge-base",
    "diff-tree",
)

See = Callable[[str, tuple[Any, ...]], None]


def install(before: See, after: See) -> None:
    """Call `before` and `after` around every change of the disk and every Git command that writes.

    For a process of its own: nothing takes it away again.
    """

    def seen(kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            shown = arguments
            if (folder := options.get("dir_fd")) is not None:
                shown = (Path(named(folder), arguments[0]), *arguments[1:])
            before(kind, shown)
            result = real(*arguments, **options)
            after(kind, shown)
            return result

        return call

    for name in (*NAMES, *DATA, "fsync"):
        setattr(os, name, seen(name, getattr(os, name)))
    files._renameat2 = seen("rename", files._renameat2)

    run = Repository.run

    def run_seen(self: Repository, *arguments: str, **options: Any) -> bytes:
        verb = next(word for word in arguments if word != "-c" and "=" not in word)
        if verb in READING:
            return run(self, *arguments, **options)
        before("git", (self, verb, arguments))
        out = run(self, *arguments, **options)
        after("git", (self, verb, arguments))
        return out

    Repository.run = run_seen


def invisible(kind: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a crash before this step leaves what a crash before the next one leaves, as seen
    from outside: a kill loses nothing that was written, and nobody looks into a quarantine."""
    if kind == "write":
        return not named(arguments[0]).endswith("/journal")
    return kind == "fsync" or "/quarantine/" in f"{arguments[0]} "


class Countdown:
    """Kills its own process before the N-th step that other processes could see."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.steps = 0

    def before(self, kind: str, arguments: tuple[Any, ...]) -> None:
        if invisible(kind, arguments):
            return
        self.steps += 1
        if self.steps == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def after(self, kind: str, arguments: tuple[Any, ...]) -> None:
        pass


class Syncs:
    """What a power loss could still take: files with unsynced bytes, directories with new names.

    The quarantine does not count: nothing that is kept names what lies there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pending: set[tuple[str, bool]] = set()
        self._missing: list[Path] = []  # of the directories of our refs, which Git makes

    @property
    def pending(self) -> set[str]:
        """Relative to the root; what is gone again needs no sync."""
        return {
            os.path.relpath(name, self.root)
            for name, folder in self._pending
            if (Path(name).is_dir() if folder else Path(name).is_file())
        }

    def before(self, kind: str, arguments: tuple[Any, ...]) -> None:
        if kind == "git":
            refs = arguments[0].git_dir / "refs"
            folders = (refs / "aifactory" / "tasks", refs / "aifactory")
            self._missing = [folder for folder in folders if not folder.is_dir()]

    def after(self, kind: str, arguments: tuple[Any, ...]) -> None:
        if kind == "fsync":
            self._pending -= {(named(arguments[0]), folder) for folder in (False, True)}
        elif kind in DATA:
            self._note(named(arguments[0]), folder=False)
        elif kind == "git":
            self._note_git(*arguments)
        elif kind in NAMES:
            names = arguments[1:2] if kind == "link" else arguments[:4]
            for name in names:
                if isinstance(name, str | Path | bytes) and Path(os.fsdecode(name)).is_absolute():
                    # A directory that is held open is named by its descriptor.
                    folder = os.path.realpath(Path(os.fsdecode(name)).parent)
                    self._note(folder, os.fsdecode(name))

    def _note(self, name: str, because: str = "", *, folder: bool = True) -> None:
        if Path(name).is_relative_to(self.root) and "quarantine" not in name + because:
            self._pending.add((name, folder))

    def _note_git(self, repository: Repository, verb: str, arguments: tuple[str, ...]) -> None:
        """Git syncs what it writes when it is told to, and never a directory."""
        if "all" not in repository.environment().values():
            self._note(str(repository.git_dir))
        for made in filter(Path.is_dir, self._missing):
            self._note(str(made))
            self._note(str(made.parent))
        if verb == "pack-objects":
            self._note(str(Path(arguments[-1]).parent))
        if verb == "update-ref" and "--stdin" not in arguments:
            ref = next(word for word in arguments if word.startswith("refs/"))
            self._note(str((repository.git_dir / ref).parent))


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def named(file: Any) -> str:
    """The path behind a descriptor or a name."""
    return str(Path(f"/proc/self/fd/{file}").readlink() if isinstance(file, int) else file)
