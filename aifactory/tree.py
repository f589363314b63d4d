"""A tree of the repository as the edits and the agents read it: paths, bytes, modes, links."""

from __future__ import annotations

from collections.abc import Iterable

from aifactory.git import Entry, Repository

LINK = "120000"
FILES = ("100644", "100755")


class GitTree:
    """The tree of one commit (`""`: an empty one). Only regular files are read."""

    def __init__(self, repository: Repository, commit: str) -> None:
        self._repository = repository
        self.commit = commit
        self.entries: dict[str, Entry] = repository.tree(commit)

    def at(self, commit: str) -> GitTree:
        """The tree of another commit of the same repository."""
        return GitTree(self._repository, commit)

    def paths(self) -> Iterable[str]:
        return self.entries.keys()

    def read(self, path: str) -> bytes | None:
        entry = self.entries.get(path)
        return self._repository.blob(entry.oid) if entry and entry.mode in FILES else None

    def symlink(self, path: str) -> str | None:
        entry = self.entries.get(path)
        if entry is None or entry.mode != LINK:
            return None
        return (self._repository.blob(entry.oid) or b"").decode(errors="surrogateescape")

    def mode(self, path: str) -> str:
        entry = self.entries.get(path)
        return entry.mode if entry and entry.mode in FILES else FILES[0]
