"""Changes that cannot stand beside each other, or beside the tree, on every file system."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from aifactory.model import Change

_LINKS = {"120000": "a symbolic link", "160000": "a submodule"}


def clashes(changes: Sequence[Change], base: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each path that cannot be written, and why; `base` has the tree's paths with their Git modes.

    Twice the same path, a file where a directory is needed or the other way round, a way through a
    symbolic link or submodule, names that differ only in case or Unicode form.
    """
    times = Counter(change.path for change in changes)
    yield from ((path, "is changed twice") for path, count in times.items() if count > 1)
    written = {change.path for change in changes if change.content is not None}
    removed = {change.path for change in changes if change.content is None}
    yield from _links((*written, *removed), base)
    kept = base.keys() - removed
    folders = _folders(kept)
    yield from _files_and_folders(written, kept, folders)
    yield from _spellings(written, kept | folders)


def _links(paths: Iterable[str], base: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        for place in (*_above(path), path):
            if kind := _LINKS.get(base.get(place, "")):
                rule = f"is {kind}" if place == path else f"goes through {kind}, {place!r}"
                yield path, rule


def _files_and_folders(
    written: set[str], kept: Set[str], folders: Set[str]
) -> Iterator[tuple[str, str]]:
    needed = folders | _folders(written)
    for path in sorted(written):
        if path in needed:
            yield path, "is a directory"
        if above := next((a for a in _above(path) if a in kept or a in written), None):
            yield path, f"is below {above!r}, which is a file"


def _spellings(written: set[str], there: Set[str]) -> Iterator[tuple[str, str]]:
    """Only new names are looked at: what the tree holds already is the owner's choice."""
    new = (written | _folders(written)) - there
    spelled: dict[str, set[str]] = {_folded(place): set() for place in new}
    for place in there | new:
        if (folded := _folded(place)) in spelled:
            spelled[folded].add(place)
    for path in sorted(written):
        for place in (*_above(path), path):
            if place in new and (others := sorted(spelled[_folded(place)] - {place})):
                yield path, f"differs from {others[0]!r} only in case or Unicode form"
                break


def _folders(paths: Iterable[str]) -> set[str]:
    direct = {path.rpartition("/")[0] for path in paths} - {""}
    return direct.union(*map(_above, direct))


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
