"""Names of new files that are no names, or slips in the name of a file that exists."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import islice

from aifactory.edits.blocks import Edits, Step, Write
from aifactory.edits.effort import spend
from aifactory.edits.formats.fences import is_name
from aifactory.edits.likeness import is_similar
from aifactory.edits.text import decode
from aifactory.edits.tree import Tree
from aifactory.errors import EditRefused

_MANY = 100  # files that are compared with a text
_MOST_UNNAMED = 20
_LETTERS = 64  # of a text that are read in a step of effort
_STEPS_A_LINE = 2
_STEPS_A_NAME = 150
_EMPTY = hashlib.sha256(b"").hexdigest()  # the base of a file that the answer calls new
_SLIP = 2  # letters that a slip changes
_ALIKE = 0.6  # of the new file's lines stand in the other as well
_SAME = 0.95
_NAMED = 0.4  # where the name is long
_RELATED = 0.3  # of them where the name speaks for it, too
_NAME = 4  # letters of a name that can have a slip
_LONG_NAME = 6  # letters of a name in which a slip is likelier than a name of its own
_FEW = 3
_SHORT = 8  # lines of a text that is compared letter by letter, too
_LONG = 1_000  # letters that are compared, where there are few lines


def check_new(step: Write, path: str, tree: Tree) -> None:
    """Raise EditRefused if a new file's name looks like prose, or like a slip in a known name."""
    if not step.explicit:
        _check_prose(path, tree)
    if other := _other_case(path, tree):
        raise EditRefused(
            f"{path}: there is no such folder, but {other}",
            next_step=f"write {other} if it is meant",
        )
    new = step.fresh or step.base_sha256 == _EMPTY
    if not new and (meant := _meant(step, path, tree)):
        raise EditRefused(
            f"{path}: there is no such file, but {meant} is nearly the same",
            next_step=f"write {meant} if it is meant; a diff from /dev/null, or "
            f"`*** Add File: {path}`, says that a file is new",
        )


def in_case(step: Write, path: str, tree: Tree) -> str:
    """The name of the one file that differs from `path` in the case of letters only, if the text
    is a change of that file; else the path.
    """
    found = [other for other in tree.paths() if other.casefold() == path.casefold()]
    alike = len(found) == 1 and _is_alike(step.text, tree.read(found[0]) or b"")
    return found[0] if alike and not step.fresh else path


def check_known(step: Write, path: str, old: bytes, tree: Tree) -> None:
    """Raise EditRefused if the new text of a file is the changed one of another file. A few lines
    do not tell that.
    """
    if len(_lines(step.text)) < _FEW or _is_alike(step.text, old, _RELATED):
        return
    ending = path.rpartition(".")[2]
    others = (p for p in tree.paths() if p != path and p.rpartition(".")[2] == ending)
    if other := _changed_from(step.text, islice(others, _MANY), tree):
        raise EditRefused(
            f"{path}: the text given for it is nearly that of {other}",
            next_step=f"write {other} above it if that is meant",
        )


def check_unnamed(edits: Edits, tree: Tree) -> None:
    """Raise EditRefused if a text without a name is nearly that of a file: its name is missing, or
    was not understood, and without it the change would be done in part.
    """
    texts = [text for text in edits.unnamed if len(_lines(text)) >= _FEW]
    if len(texts) > _MOST_UNNAMED:
        raise EditRefused(
            f"the answer has more than {_MOST_UNNAMED} code fences without a name",
            next_step="give only the files to write",
        )
    named = set(edits.paths)
    others = [path for path in tree.paths() if path not in named][:_MANY] if texts else []
    for text in texts:
        if path := _changed_from(text, others, tree):
            raise EditRefused(
                f"{path}: a code fence without a name holds nearly its text",
                next_step="give the path alone on the line above the fence",
            )


def _changed_from(text: str, others: Iterable[str], tree: Tree) -> str | None:
    """The first of these files that the text is a change of, and not a piece of a longer one."""
    for other in others:
        data = tree.read(other) or b""
        if len(data) <= 2 * len(text) and _is_changed(text, data, _ALIKE):
            return other
    return None


def _other_case(path: str, tree: Tree) -> str | None:
    """The folder of the tree that the path means but for the case of letters."""
    folder = path.rpartition("/")[0]
    known = {other.rpartition("/")[0] for other in tree.paths()}
    if not folder or folder in known:
        return None
    return next((other for other in known if other.casefold() == folder.casefold()), None)


def expecting(edits: Edits, named: Collection[str], tree: Tree) -> Edits:
    """The same edits, where whoever asked named some new files: those names are no slips."""
    return replace(edits, steps=tuple(_expected(step, named, tree) for step in edits.steps))


def _expected(step: Step, named: Collection[str], tree: Tree) -> Step:
    if isinstance(step, Write) and step.path in named and tree.read(step.path) is None:
        return replace(step, named=True)
    return step


def _check_prose(path: str, tree: Tree) -> None:
    first, slash, _ = path.partition("/")
    if " " not in first and (slash or is_name(first)):
        return
    if slash and any(p.startswith(f"{first}/") for p in tree.paths()):
        return
    raise EditRefused(
        f"{path!r} is no file, and does not look like the name of a new one",
        next_step="give the path alone on the line above the fence",
    )


def _meant(step: Write, path: str, tree: Tree) -> str | None:
    """A file with nearly this text, and this name but for a slip or the first folders."""
    first = path.partition("/")[0]
    strange = not any(other.startswith(f"{first}/") for other in tree.paths())
    for other in tree.paths():
        if other.casefold() == path.casefold():
            return other
        if other.endswith(f" {path}") or path.startswith(f"{other} "):
            return other
        folders = other.endswith(f"/{path}") or (strange and path.endswith(f"/{other}"))
        if folders and _is_changed(step.text, tree.read(other) or b""):
            return other
        near = abs(len(other) - len(path)) <= _SLIP and _is_slip(path, other)
        least = _least(path, other, step.text) if near else 0
        if near and _is_changed(step.text, tree.read(other) or b"", least):
            return other
    return None


def _least(path: str, other: str, text: str) -> float:
    """The part of the text that must be alike for a name to be a slip in the other: less where a
    slip is likely, and more where another letter makes another name, of another short text.
    """
    stem, known = (name.rpartition("/")[2].partition(".")[0] for name in (path, other))
    if stem != known and len(stem) < _NAME and len(_lines(text)) < _SHORT:
        return _SAME
    return _NAMED if stem != known and len(stem) >= _LONG_NAME else _ALIKE


def _is_slip(path: str, other: str) -> bool:
    """Whether few letters differ; numbers in names are meant."""
    if len({*path} ^ {*other}) > _SLIP:
        return False
    spend(_STEPS_A_NAME)
    letters, others = Counter(path), Counter(other)
    differ = list(((letters - others) + (others - letters)).elements())
    numbers = bool(differ) and all(char.isdigit() for char in differ)
    return len(differ) <= _SLIP and not numbers


def _is_changed(text: str, data: bytes, least: float = _RELATED) -> bool:
    """Whether the text is alike, and not the same: no copy of a file, but a change of it."""
    return text != decode(data) and _is_alike(text, data, least)


def _is_alike(text: str, data: bytes, least: float = _ALIKE) -> bool:
    """Whether a part of the lines, at `least`, stand in the other text as well."""
    old = decode(data)
    lines = _lines(text)
    known = {line.strip() for line in old.split("\n")}
    spend(len(data) // _LETTERS + _STEPS_A_LINE * data.count(b"\n"))
    if len(lines) >= _FEW and len(lines & known) >= least * len(lines):
        return True
    if len(lines) > _SHORT:
        return False
    here, there = text[:_LONG].casefold(), old[:_LONG].casefold()
    enough = least if len(lines) < _FEW else _ALIKE
    return is_similar(here, there, enough)


@lru_cache(maxsize=1)
def _lines(text: str) -> frozenset[str]:
    """Its lines that are not empty; the same text is compared with many files in a row."""
    return frozenset(line.strip() for line in text.split("\n")) - {""}
