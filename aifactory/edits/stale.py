"""Files that changed after the model was shown them: its change is merged, or refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aifactory.edits.merge import Conflict, merge
from aifactory.edits.paths import folders
from aifactory.edits.text import decode, encode
from aifactory.edits.tree import Tree
from aifactory.errors import StaleBase

Seen = Mapping[str, bytes | None]


class ShownTree:
    """The tree as the model was shown it. Satisfies `Tree`."""

    def __init__(self, tree: Tree, seen: Seen) -> None:
        self._tree = tree
        self._seen = seen

    def read(self, path: str) -> bytes | None:
        return self._seen[path] if path in self._seen else self._tree.read(path)

    def symlink(self, path: str) -> str | None:
        return self._tree.symlink(path)

    def paths(self) -> Iterable[str]:
        known = dict.fromkeys([*self._tree.paths(), *self._seen])
        return [path for path in known if self._seen.get(path, b"") is not None]


def settled(
    changes: Mapping[str, bytes | None], origins: Mapping[str, str], tree: Tree, seen: Seen
) -> dict[str, bytes | None]:
    """The changes, made on the tree as it was shown, carried over to the tree as it is.

    `origins` names the file that a renamed one comes from. Raises StaleBase.
    """
    moved = set(origins.values())
    result: dict[str, bytes | None] = {}
    for path, data in changes.items():
        origin = origins.get(path, path)
        if path != origin and path in seen:
            raise _stale(path, "has come into being")
        if data is None:
            if path in seen and path not in moved:
                raise _stale(path, "is gone" if tree.read(path) is None else "has changed")
            result[path] = None
        else:
            result[path] = _merged(path, origin, data, tree, seen) if origin in seen else data
    _check_room(result, tree, seen)
    return result


def _check_room(result: Mapping[str, bytes | None], tree: Tree, seen: Seen) -> None:
    """Raise if a file that has come into being is in the way of one that is written."""
    new = {path for path, then in seen.items() if then is None and tree.read(path) is not None}
    come = {path for path in new if result.get(path, b"") is not None}
    for path in (path for path, data in result.items() if data is not None):
        below = {other for other in come if path in folders(other)}
        if there := below | come.intersection(folders(path)):
            raise _stale(min(there), f"is in the way of {path}, and has come into being")


def _merged(path: str, origin: str, data: bytes, tree: Tree, seen: Seen) -> bytes:
    then, now = seen[origin], tree.read(origin)
    if now == data:
        return data
    if then is None:
        raise _stale(path, "has come into being")
    if now is None:
        raise _stale(path, "is gone")
    if _is_reformed(then, now):
        raise _stale(path, "has got other line ends or indentation")
    try:
        return encode(merge(decode(then), decode(now), decode(data)), path)
    except Conflict as conflict:
        raise _stale(path, f"has changed in the same lines ({conflict} as you saw it)") from None


def _is_reformed(then: bytes, now: bytes) -> bool:
    """Whether all that has changed is white space around the text of lines, and most have."""
    old, new = then.split(b"\n"), now.split(b"\n")
    if [line.strip() for line in old] != [line.strip() for line in new]:
        return False
    return sum(a != b for a, b in zip(old, new, strict=True)) * 2 > sum(map(bool, old))


def _stale(path: str, what: str) -> StaleBase:
    return StaleBase(
        f"{path}: {what} since you were shown it",
        next_step="look at the files as they are now and make the change again",
    )
