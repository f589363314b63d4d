"""The files that an answer is applied to, seen through the smallest possible window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class Tree(Protocol):
    """Reads only. Paths are relative, with `/`."""

    def read(self, path: str) -> bytes | None:
        """The bytes of a file, None if there is none."""

    def symlink(self, path: str) -> str | None:
        """Where a symbolic link points, None if `path` is no link."""

    def paths(self) -> Iterable[str]:
        """Every file and every symbolic link."""


class MemoryTree:
    """A tree that is held in memory."""

    def __init__(
        self, files: Mapping[str, bytes], symlinks: Mapping[str, str] | None = None
    ) -> None:
        self._files = dict(files)
        self._symlinks = dict(symlinks or {})

    def read(self, path: str) -> bytes | None:
        return self._files.get(path)

    def symlink(self, path: str) -> str | None:
        return self._symlinks.get(path)

    def paths(self) -> Iterable[str]:
        return dict.fromkeys([*self._files, *self._symlinks])
