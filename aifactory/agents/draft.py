"""A tree as the work so far leaves it, in memory. Satisfies `edits.Tree`."""

from __future__ import annotations

from collections.abc import Iterable

from aifactory.agents.bench import change_of, original
from aifactory.harvest import File
from aifactory.model import Change, sha256
from aifactory.tree import GitTree


class Draft:
    def __init__(self, tree: GitTree) -> None:
        self._tree = tree
        self._changes: dict[str, Change] = {}

    def read(self, path: str) -> bytes | None:
        change = self._changes.get(path)
        return change.content if change else self._tree.read(path)

    def symlink(self, path: str) -> str | None:
        return None if path in self._changes else self._tree.symlink(path)

    def paths(self) -> Iterable[str]:
        known = dict.fromkeys([*self._tree.paths(), *self._changes])
        gone = {path for path, change in self._changes.items() if change.content is None}
        return [path for path in known if path not in gone]

    def changes(self) -> tuple[Change, ...]:
        """What differs from the tree, by path."""
        return tuple(self._changes[path] for path in sorted(self._changes))

    def digest(self) -> str:
        """The same for the same content."""
        return sha256("".join(one.model_dump_json() for one in self.changes()).encode())

    def put(self, change: Change) -> None:
        """Let a file be as a change says; one that is as in the tree is no change."""
        if self.original(change.path) == change:
            self._changes.pop(change.path, None)
        else:
            self._changes[change.path] = change

    def write(self, path: str, content: bytes | None) -> Change:
        """A change of a file's bytes only, made here."""
        known = self._changes.get(path)
        mode = known.mode if known else self._tree.mode(path)
        file = None if content is None else File(content, mode)
        change = change_of(path, file, self._tree)
        self.put(change)
        return change

    def original(self, path: str) -> Change:
        """The change that undoes all others of a path."""
        return original(path, self._tree)

    def become(self, changes: Iterable[Change]) -> tuple[Change, ...]:
        """Hold these changes and no others; gives what that alters here."""
        wanted = {change.path: change for change in changes}
        others = [self.original(path) for path in self._changes if path not in wanted]
        news = [one for path, one in wanted.items() if self._changes.get(path) != one]
        for change in (*others, *news):
            self.put(change)
        return (*others, *news)
