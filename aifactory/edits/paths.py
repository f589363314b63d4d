"""From the name that a model writes to the path that it means, or a refusal."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

from aifactory.edits.effort import spend
from aifactory.edits.evidence import Evidence
from aifactory.edits.likeness import closest
from aifactory.edits.tree import Tree
from aifactory.errors import EditRefused, ScopeViolation
from aifactory.paths import refusal

_NEAR = 0.6  # of the letters of two names of files
_STEPS = 8  # of effort, to compose a path
_DEEPEST = 128


def tidy(name: str) -> str:
    """The name without what models put around it: `./`, backslashes, quotes, white space."""
    name = name.strip().strip("`\"'").strip()
    name = forward(name)
    return re.sub(r"^(?:\./)+", "", name)


def forward(name: str) -> str:
    """The name with `/` between its parts, if it has `\\` only."""
    return name.replace("\\", "/") if "\\" in name and "/" not in name else name


def check(path: str, tree: Tree) -> None:
    """Raise ScopeViolation if writing `path` could reach outside of the tree."""
    if why := refusal(path) or ("is not below the root" if path[:1] == "~" else None):
        raise ScopeViolation(
            f"the path {path!r} {why}",
            next_step="leave it out; name files of the repository, by paths relative to its root",
        )
    if path.count("/") >= _DEEPEST:
        raise EditRefused(
            f"the path {path[:80]!r}... has more than {_DEEPEST} parts",
            next_step="make fewer folders in each other",
        )
    for above in (*folders(path), path):
        if (target := tree.symlink(above)) is not None:
            place = "it" if above == path else above
            raise ScopeViolation(
                f"{path}: {place} is a symbolic link to {target}, and links stay as they are",
                next_step="name the file that the link points to, or leave it out",
            )


def resolve(path: str, tree: Tree, evidence: Evidence) -> str:
    """The path of the tree that `path` means: itself, or the only spelling of it that exists."""
    if tree.read(path) is not None:
        return path
    others = [path[2:]] if path[:2] in ("a/", "b/") and tree.read(path[2:]) is not None else []
    if not others:
        wanted = unicodedata.normalize("NFC", path)
        odd = [p for p in tree.paths() if not p.isascii()]
        spend(_STEPS * len(odd))
        others = [p for p in odd if unicodedata.normalize("NFC", p) == wanted]
    if len(others) == 1:
        return others[0]
    return path[2:] if path[:2] in ("a/", "b/") and _is_stray(path, tree, evidence) else path


def _is_stray(path: str, tree: Tree, evidence: Evidence) -> bool:
    """Whether a new file's `a/` or `b/` is that of a diff: without it, its folder is known, or the
    answer puts them in front of other names.
    """
    if evidence.unprefixed and not evidence.prefixed:
        return False
    first, slash, _ = path[2:].partition("/")
    known = [p for p in tree.paths() if p.startswith((path[:2], f"{first}/"))]
    strays = not any(p.startswith(path[:2]) for p in known)
    return strays and (evidence.prefixed or not slash or bool(known))


def spellings(path: str, tree: Tree) -> list[str]:
    """Files that a name which is not in the tree may stand for: with another case of letters,
    with its first folders, or without one that there is not.
    """
    known = list(tree.paths())
    found = [other for other in known if other.casefold() == path.casefold()]
    folder, _, _ = path.rpartition("/")
    if not any(folder and other.startswith(f"{folder}/") for other in known):
        found += [other for other in known if other.endswith(f"/{path}")]
    first, _, below = path.partition("/")
    if below in known and not any(other.startswith(f"{first}/") for other in known):
        found.append(below)
    return found


def nearest(path: str, tree: Tree) -> str:
    """A hint at what the model may have meant, "" if nothing is near."""
    known = list(tree.paths())
    name = path.rpartition("/")[2]
    same = [p for p in known if p.rpartition("/")[2] == name]
    likeness = difflib.SequenceMatcher(b=name)
    close = [] if same else closest(path, known[:5000], 9, 0.8)
    near = same or [p for p in close if _is_near(likeness, p.rpartition("/")[2])]
    return f"; did you mean {' or '.join(near[:3])}?" if near else ""


def _is_near(likeness: difflib.SequenceMatcher[str], name: str) -> bool:
    likeness.set_seq1(name)
    return likeness.ratio() >= _NEAR


def check_room(created: list[str], tree: Tree) -> None:
    """Raise EditRefused if a file would stand where a folder is, or below another file."""
    known = set(tree.paths())
    taken = {above for path in known for above in folders(path)}
    for path in created:
        if path in taken:
            raise EditRefused(
                f"{path}: there is a folder of this name", next_step="choose another name"
            )
        if under := known.intersection(folders(path)):
            raise EditRefused(
                f"{path}: {min(under)} is a file, not a folder", next_step="choose another folder"
            )


def folders(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def missing(path: str, tree: Tree, number: int) -> EditRefused:
    hint = nearest(path, tree)
    return EditRefused(
        f"{path}: edit {number} changes a file that does not exist{hint}",
        next_step="name an existing file, or give the full text of a new one",
    )


def not_there(path: str, tree: Tree, what: str) -> EditRefused:
    """The refusal for a file that only one that exists could be: deleted, renamed, of a mode."""
    return EditRefused(
        f"{path}: there is no such file, {what}{nearest(path, tree)}",
        next_step="name an existing file, or leave it out",
    )


def unquoted(name: str) -> str:
    """A name as Git writes it with special characters: in quotes, bytes as octal numbers."""
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name
    found = _ESCAPE.sub(_unescaped, name[1:-1].encode())
    return found.decode("utf-8", "surrogateescape")


_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_SIGNS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def _unescaped(match: re.Match[bytes]) -> bytes:
    sign = match[1]
    return bytes([int(sign, 8) & 255]) if len(sign) == 3 else _SIGNS.get(sign, sign)
