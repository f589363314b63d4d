"""What a diff claims beside its lines, numbers and blob ids: believed only where proven."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from aifactory.edits.blocks import Block, Line
from aifactory.edits.likeness import KEYS, Level, telling
from aifactory.edits.match import Place, is_open
from aifactory.edits.refusals import Ambiguous, already_there, one_sided, taken_by_others
from aifactory.edits.view import View

_CONTEXT = 3
_HEADING = re.compile(r"[A-Za-z_$]")
_SURE = 2  # kept lines that show where a block was meant to be


def decide(blocks: list[Block], found: Sequence[Place | Ambiguous], view: View) -> list[Place]:
    """A place for every block; a block that fits several takes the one that its number names.

    That is a proof only if every number and count of the diff is right, what stands behind `@@`
    is the line that Git shows there, each block has the context that a diff is made with, and
    another block behind it has one place only, which is
    where its number says: then nothing before that place has moved. Raises the Ambiguous that
    cannot be decided.
    """
    unclear = [item for item in found if isinstance(item, Ambiguous)]
    if unclear and not _proven(blocks, found, view):
        raise unclear[0]
    return named(blocks, found)


def named(blocks: list[Block], found: Sequence[Place | Ambiguous]) -> list[Place]:
    """The places that were found; of several, the one that the number names."""
    return [
        item if isinstance(item, Place) else _at_number(block)
        for block, item in zip(blocks, found, strict=True)
    ]


def is_blob(text: str, abbreviated: str) -> bool:
    """Whether Git gives a file of this text an id that begins so."""
    data = text.encode("utf-8", "surrogateescape")
    header = b"blob %d\0" % len(data)
    known = (hashlib.sha1(header + data), hashlib.sha256(header + data))
    return any(digest.hexdigest().startswith(abbreviated) for digest in known)


def check(block: Block, place: Place, view: View, path: str) -> None:
    """Raise EditRefused if the place that was found is not the one that the number names, and
    that one is taken; or if lines are added at an edge where a diff would show what follows.
    """
    if block.start is None or place.start is None:
        return
    row = max(0, block.start - 1)
    if place.start != row:
        if _stands(block.new, row + block.delta, view) and _adds(block):
            raise already_there(block, view, row + block.delta, path)
        if _is_taken(block, row, place.start, view):
            raise taken_by_others(block, view, row, path)
    marks = [line.mark for line in block.lines]
    if _kept(marks) + _kept(marks[::-1]) >= _SURE and is_open(block, place, view):
        raise one_sided(block, path)


def _adds(block: Block) -> bool:
    return any(line.mark == "+" and telling(line.text) for line in block.lines)


def _stands(lines: Sequence[Line], row: int, view: View) -> bool:
    keys = view.keys(Level.SPACE)[max(0, row) : max(0, row) + len(lines)]
    return keys == [KEYS[Level.SPACE](line.text) for line in lines]


def _is_taken(block: Block, row: int, found: int, view: View) -> bool:
    """Whether the kept lines, or all but one, stand where the number says, apart from the place
    that was found.
    """
    size = len(block.old)
    there = set(view.keys(Level.SPACE)[max(0, row - 1) : row + size + 1])
    kept = [
        KEYS[Level.SPACE](line.text) in there
        for line in block.old
        if line.mark == " " and telling(line.text)
    ]
    return abs(found - row) > size and sum(kept) >= max(_SURE, len(kept) - 1)


def _at_number(block: Block) -> Place:
    low = max(0, (block.start or 1) - 1)
    return Place(tuple(range(low, low + len(block.old))), Level.EXACT)


def _proven(blocks: list[Block], found: Sequence[Place | Ambiguous], view: View) -> bool:
    grown = 0
    witnessed = True
    headed = any(block.heading for block in blocks)
    for block, item in zip(blocks, found, strict=True):
        low = (block.start or 0) - 1
        if not block.exact_counts or block.delta != grown or low < 0:
            return False
        if not _has_context(block, low, view):
            return False
        if isinstance(item, Place):
            if item.level is not Level.EXACT or item.rows[0] != low:
                return False
            witnessed = True
        elif low not in item.rows or (headed and not _is_headed(block, low, view)):
            return False
        else:
            witnessed = False
        grown += len(block.new) - len(block.old)
    return witnessed


def _is_headed(block: Block, low: int, view: View) -> bool:
    """Whether Git shows this heading for a hunk there: the last line above that begins with a
    letter, `_` or `$` (its rule where no driver is set for the file).
    """
    above = (view.lines[row].text for row in range(low - 1, -1, -1))
    line = next((text for text in above if _HEADING.match(text)), "")
    return line.startswith(block.heading) and bool(line) == bool(block.heading)


def _has_context(block: Block, low: int, view: View) -> bool:
    marks = [line.mark for line in block.lines]
    before, after = _kept(marks), _kept(marks[::-1])
    first, last = low == 0, low + len(block.old) == len(view.lines)
    return max(before, after) <= _CONTEXT and (
        (first or before == _CONTEXT) and (last or after == _CONTEXT)
    )


def _kept(marks: Sequence[str]) -> int:
    return next((at for at, mark in enumerate(marks) if mark != " "), len(marks))
