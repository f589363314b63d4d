"""What the files of the same kind as one have in common."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice

from aifactory.edits.tree import Tree

_MANY = 20  # files that are looked at
_SURE = 3  # files that must be indented in one way, and none in the other, to show that all are
_FAMILIES = (
    ("js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "vue"),
    ("c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx"),
    ("css", "scss", "less"),
    ("html", "htm", "xhtml"),
    ("py", "pyi"),
    ("yml", "yaml"),
)
"""Extensions of files that are written alike."""

_MAKEFILE = re.compile(r"(?:^|/)(?:GNU)?[Mm]akefile[^/]*$|\.mk$")


def needs_tabs(path: str) -> bool:
    """Whether the file means something else with spaces for its tabs."""
    return _MAKEFILE.search(path) is not None


def ends_in_crlf(path: str, tree: Tree) -> bool:
    """Whether the files of the kind of `path`, or all where there are none, have CRLF."""
    texts = [data for data in _texts(path, tree) if b"\n" in data]
    return bool(texts) and all(data.count(b"\n") == data.count(b"\r\n") for data in texts)


def has_tabs(path: str, tree: Tree) -> bool | None:
    """Whether the files of the kind of `path` indent lines with tabs; None if only some
    do, none indents any, or there are none.
    """
    texts = _texts(path, tree) if _has_kin(path, tree) else []
    tabs, spaces = (any(white in data for data in texts) for white in (b"\n\t", b"\n  "))
    return tabs if tabs != spaces else None


def indents(text: str) -> set[str]:
    """What lines of a text begin with, of a tab and two spaces."""
    return {white for white in ("\t", "  ") if f"\n{white}" in text}


def strays(text: str, path: str, tree: Tree) -> bool:
    """Whether several files of the kind of `path` indent lines, all with spaces, and the text has
    tabs, or all with tabs, and the text has nothing but spaces.

    Of 513 new files of public projects with kin that have spaces, none was indented with tabs
    alone; of 14 with kin that have tabs, none with spaces.
    """
    texts = _texts(path, tree) if _has_kin(path, tree) else []
    tabs, spaces = (sum(white in data for data in texts) for white in (b"\n\t", b"\n  "))
    if tabs and spaces:
        return False
    whites = indents(text)
    return (spaces >= _SURE and "\t" in whites) or (tabs >= _SURE and whites == {"  "})


def _has_kin(path: str, tree: Tree) -> bool:
    return bool(_ending(path)) and _ending(path) in map(_ending, tree.paths())


def _texts(path: str, tree: Tree) -> list[bytes]:
    known = [other for other in tree.paths() if tree.symlink(other) is None]
    ending = _ending(path)
    alike = [other for other in known if _ending(other) == ending] or known
    return [tree.read(other) or b"" for other in islice(alike, _MANY)]


@lru_cache(maxsize=10_000)
def _ending(path: str) -> str:
    """The extension of a name, the same one for all of a family."""
    name = path.rpartition("/")[2]
    ending = name.rpartition(".")[2] if "." in name else ""
    return next((family[0] for family in _FAMILIES if ending in family), ending)
