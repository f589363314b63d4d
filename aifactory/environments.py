"""What the repository's commands need installed: built once, then read-only for every cage.

An environment is known by what it is made of and stands where it was built, since programs in it
know their own path. It counts from the moment that its note stands beside it; what has none is a
building site that a crash left.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aifactory import beneath, files
from aifactory.errors import AifactoryError, GateBroken, Interrupted, LockHeld
from aifactory.git import Repository
from aifactory.installation import (
    SCRATCH,
    Recipe,
    Watcher,
    install,
    links,
    prepare,
    python_of,
    tools_of,
)
from aifactory.layout import Layout
from aifactory.model import now
from aifactory.sandbox import Limits, Network, Sandbox, Toolchain
from aifactory.settings import Settings
from aifactory.workspace import PASSABLE, PRIVATE, make_own

KEPT_SECONDS = 86_400  # an environment that a run may still use is not put away
AGAIN_SECONDS = 300  # a failure is not repeated for every task that meets it
_FILES = ("100644", "100755")


@dataclass(frozen=True)
class Environment:
    """An environment that stands. `links` are the paths, relative to the top of a workspace, at
    which its commands find what is in it."""

    place: Path
    base: Path
    links: tuple[str, ...]

    @property
    def python(self) -> Path:
        return python_of(self.place, self.base)

    @property
    def shown(self) -> dict[str, Path]:
        """Where in a workspace what is installed is linked to."""
        return {path: self.place / path for path in self.links}

    @property
    def tools(self) -> Toolchain:
        return tools_of(self.place, self.base)


def recipe(repository: Repository, commit: str, settings: Settings, python: Path) -> Recipe | None:
    """What the environment of a commit of the owner's is made of; None where nothing is installed.

    Raises GateBroken when a lock file is not there.
    """
    wanted = settings.environment
    if not wanted.install:
        return None
    entries, locks = repository.tree(commit), {}
    for path in wanted.lock:
        entry = entries.get(path)
        data = repository.blob(entry.oid) if entry and entry.mode in _FILES else None
        if data is None:
            raise GateBroken(
                f"[environment] lock names {path}, which is no file of the target branch",
                next_step="commit it, or take it from the list",
            )
        locks[path] = data
    limits = settings.sandbox.limits.model_dump() | {
        "seconds": wanted.timeout,
        "disk_bytes": wanted.disk_bytes,
        "disk_files": wanted.disk_files,
        "file_bytes": wanted.disk_bytes,
    }
    return Recipe(wanted.install, locks, python, wanted.hosts, Limits(**limits))


class Environments:
    """Those of one repository. The network may be given; it is the machine's otherwise."""

    def __init__(
        self, layout: Layout, sandbox: Callable[[], Sandbox], network: Network | None = None
    ) -> None:
        self._home = layout.environments
        self._locks = layout.state / "environments"
        self._sandbox = sandbox
        self._network = network
        self._building = threading.Lock()
        self._failed: dict[str, tuple[float, AifactoryError]] = {}

    def find(self, recipe: Recipe) -> Environment | None:
        """The one that stands already."""
        place, note = self._home / recipe.key, self._note(recipe.key)
        try:
            told = json.loads(note.read_bytes())
        except (OSError, ValueError):
            return None
        os.utime(note)  # it is in use
        return Environment(place, recipe.python, tuple(told["links"]))

    def ready(self, recipe: Recipe, watcher: Watcher) -> Environment:
        """The one that stands, or a new one. Only one is built at a time.

        Raises GateBroken when it cannot be built, for a while without trying again;
        EnvironmentUnusable, SandboxUnusable, Interrupted.
        """
        with self._turn(watcher.stop):
            if found := self.find(recipe):
                return found
            failed_at, error = self._failed.get(recipe.key, (0.0, None))
            if error and time.monotonic() < failed_at + AGAIN_SECONDS:
                raise error
            try:
                return self._build(recipe, watcher)
            except GateBroken as error:
                self._failed[recipe.key] = (time.monotonic(), error)
                raise

    def stale(self, current: str) -> Iterator[Path]:
        """Environments and building sites that nothing has used for a day, but for `current`."""
        for path in sorted(self._home.glob("*")):
            key = path.name.partition(".")[0]
            used = self._note(key) if self._note(key).exists() else path
            if path.is_dir() and key != current and _age(used) > KEPT_SECONDS:
                yield path

    def remove(self, place: Path) -> None:
        """Put one away: it stops to count first. One that is being built stays."""
        try:
            with self._held(place.name):
                self._clear(place)
        except LockHeld:
            return

    @contextmanager
    def _turn(self, stop: threading.Event | None) -> Iterator[None]:
        while not self._building.acquire(timeout=0.2):
            if stop is not None and stop.is_set():
                raise Interrupted("stopped while another task's environment was built")
        try:
            yield
        finally:
            self._building.release()

    @contextmanager
    def _held(self, key: str) -> Iterator[None]:
        lock = files.Lock(self._locks / f"{key}.lock")
        lock.acquire(f"process {os.getpid()}")
        try:
            yield
        finally:
            lock.release()

    def _build(self, recipe: Recipe, watcher: Watcher) -> Environment:
        place, door = self._home / recipe.key, self._home / f"{recipe.key}.door"
        make_own(self._home.parent, PASSABLE)
        make_own(self._home, PASSABLE)
        with self._held(recipe.key), files.disk_errors(f"environment {recipe.key}"):
            self._clear(place)
            self._clear(door)
            make_own(door, PASSABLE)
            prepare(recipe, place)
            try:
                install(recipe, place, door, self._sandbox(), watcher, self._network)
                self._publish(recipe, place)
            except BaseException:
                self._clear(place)
                raise
            finally:
                self._clear(door)
        found = self.find(recipe)
        assert found
        return found

    def _publish(self, recipe: Recipe, place: Path) -> None:
        """From here on it is nobody's to change; its note comes when all of it lasts."""
        self._discard(place / SCRATCH)
        settle(place)
        files.sync_system(place)
        told = {
            "links": links(place, recipe.locks),
            "commands": recipe.commands,
            "locks": sorted(recipe.locks),
            "built_at": now(),
        }
        files.atomic_write(self._note(recipe.key), json.dumps(told, indent=1).encode())

    def _note(self, key: str) -> Path:
        return self._home / f"{key}.json"

    def _clear(self, place: Path) -> None:
        self._note(place.name).unlink(missing_ok=True)
        self._discard(place)

    def _discard(self, place: Path) -> None:
        """Remove a directory in which untrusted code has written."""
        trash = self._home / "trash"
        make_own(trash, PRIVATE)
        with beneath.opened(place.parent) as fd, beneath.opened(trash) as bin:
            beneath.discard(fd, place.name, bin)
            beneath.empty(bin)


def settle(place: Path) -> None:
    """Make all of it ours, for everybody to read and for nobody to write or to become."""
    root = os.geteuid() == 0
    if root:
        os.chown(place, 0, 0)
    for _, folders, names, fd in os.fwalk(place):
        for name in (*folders, *names):
            status = os.lstat(name, dir_fd=fd)
            if root:
                os.chown(name, 0, 0, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                continue
            runs = stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_IXUSR
            os.chmod(name, 0o755 if runs else 0o644, dir_fd=fd)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
