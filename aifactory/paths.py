"""Names of files in a repository: which are safe, and which a glob means. Text only, no disk."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase

MOST_BYTES = 4096
MOST_COMPONENT_BYTES = 255

# Control, format (invisible, bidirectional), surrogate, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_WILD = re.compile(r"[*?\[]")
# `git~1` is how FAT and NTFS shorten `.git`.
_GIT = re.compile(r"\.git|git~\d+")


def refusal(path: str) -> str | None:
    """Why `path` must never be joined to a root, or None if it may."""
    if not path:
        return "is empty"
    if any(unicodedata.category(char) in _UNSEEN for char in path):
        return "holds a control or invisible character"
    if "\\" in path:
        return "holds a backslash"
    if path.startswith("/") or re.match("[A-Za-z]:", path):
        return "is absolute"
    if len(path.encode()) > MOST_BYTES:
        return f"is longer than {MOST_BYTES} bytes"
    return next(filter(None, map(_component_refusal, path.split("/"))), None)


def _component_refusal(part: str) -> str | None:
    if not part:
        return "has an empty part"
    if part in (".", ".."):
        return f"has the part `{part}`"
    if len(part.encode()) > MOST_COMPONENT_BYTES:
        return f"has a part longer than {MOST_COMPONENT_BYTES} bytes"
    if is_git(part):
        return "reaches into Git's own directory"
    return None


def is_git(part: str) -> bool:
    """Whether some file system takes this name for `.git`.

    HFS+ ignores invisible characters, NTFS trailing dots and spaces and what follows a colon,
    both ignore case (CVE-2014-9390, CVE-2019-1352).
    """
    seen = "".join(char for char in part if unicodedata.category(char) not in _UNSEEN)
    folded = unicodedata.normalize("NFKC", seen).casefold()
    return _GIT.fullmatch(folded.partition(":")[0].rstrip(". ")) is not None


def tidied(glob: str) -> str:
    """A path or glob as a person wrote it, without `./` in front; `.` is the whole tree."""
    while glob.startswith("./"):
        glob = glob[2:].lstrip("/")
    return "**" if glob in ("", ".") else glob


def matches(glob: str, path: str) -> bool:
    """Whether `glob` means `path`.

    The same text always does, and a directory means all below it. `*`, `?` and `[...]` stay within
    one part, `**` spans any number of them; a glob that does not end in a wildcard, or that ends in
    a slash, means directories too.
    """
    if glob and (glob == path or path.startswith(glob.rstrip("/") + "/")):
        return True
    pattern = [part for part in glob.split("/") if part]
    if not pattern:
        return False
    below = glob.endswith("/") or not wild(pattern[-1])
    return _walk(pattern, path.split("/"), below)


def wild(glob: str) -> bool:
    """Whether `glob` has a wildcard, and so may mean more than it says."""
    return _WILD.search(glob) is not None


def match(globs: Iterable[str], path: str) -> str | None:
    """The first of `globs` that means `path`, or None."""
    return next((glob for glob in globs if matches(glob, path)), None)


def _walk(pattern: list[str], parts: list[str], below: bool) -> bool:
    """All positions in the pattern at once, part by part: linear, whatever the pattern."""
    places = _skip_stars(pattern, {0})
    for part in parts:
        if below and len(pattern) in places:
            return True
        places = _skip_stars(pattern, set(_step(pattern, places, part)))
    return len(pattern) in places


def _step(pattern: list[str], places: set[int], part: str) -> Iterable[int]:
    for place in places:
        if place == len(pattern):
            continue
        if pattern[place] == "**":
            yield place
        elif pattern[place] == part or fnmatchcase(part, pattern[place]):
            yield place + 1


def _skip_stars(pattern: list[str], places: set[int]) -> set[int]:
    reached = set(places)
    for place in sorted(places):
        while place < len(pattern) and pattern[place] == "**":
            place += 1
            reached.add(place)
    return reached
