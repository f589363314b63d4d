"""What a tree would be after some edits: everything in memory, nothing of it done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aifactory.edits.tree import Tree


class Overlay:
    """A tree with changes on top. Satisfies `Tree`, so that later steps see earlier ones."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._changes: dict[str, bytes | None] = {}
        self._known: list[str] | None = None
        self.origins: dict[str, str] = {}
        """Where renamed files come from."""

    def read(self, path: str) -> bytes | None:
        if path in self._changes:
            return self._changes[path]
        return self._tree.read(path)

    def symlink(self, path: str) -> str | None:
        return self._tree.symlink(path)

    def paths(self) -> Iterable[str]:
        if self._known is None:
            known = dict.fromkeys([*self._tree.paths(), *self._changes])
            self._known = [p for p in known if self._changes.get(p, b"") is not None]
        return self._known

    def put(self, path: str, data: bytes | None) -> None:
        self._changes[path] = data
        self._known = None

    def rename(self, path: str, to: str) -> None:
        self.put(to, self.read(path))
        self.put(path, None)
        self.origins[to] = self.origins.pop(path, path)

    def changes(self) -> Mapping[str, bytes | None]:
        """Every path whose bytes differ from the tree below."""
        return {path: data for path, data in self._changes.items() if data != self._tree.read(path)}
