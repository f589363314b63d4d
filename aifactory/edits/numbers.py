"""What a diff claims beside its lines, numbers and blob ids: believed only where proven."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from aifactory.edits.blocks import Block, Line
from aifactory.edits.likeness import KEYS, Level, telling
from aifactory.edits.match import Place, is_open
from aifactory.edits.refusals import (
    Ambiguous,
    already_there,
    ambiguous,
    not_at_end,
    one_sided,
    taken_by_others,
)
from aifactory.edits.view import View

_SURE = 2  # kept lines that show where a block was meant to be


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
    ends = any(not line.ended for line in block.old)
    if ends and place.rows[-1] != len(view.lines) - 1:
        raise not_at_end(block, path)
    if place.start != row:
        if _stands(block.old, row, view, Level.INDENT):
            raise ambiguous(block, view, [place.start, row], Level.INDENT, path)
        if _stands(block.new, row + block.delta, view) and _adds(block):
            raise already_there(block, view, row + block.delta, path)
        if _is_taken(block, row, place.start, view):
            raise taken_by_others(block, view, row, path)
    marks = [line.mark for line in block.lines]
    if _kept(marks) + _kept(marks[::-1]) >= _SURE and is_open(block, place, view):
        raise one_sided(block, path)


def _adds(block: Block) -> bool:
    return any(line.mark == "+" and telling(line.text) for line in block.lines)


def _stands(lines: Sequence[Line], row: int, view: View, level: Level = Level.SPACE) -> bool:
    keys = view.keys(level)[max(0, row) : max(0, row) + len(lines)]
    return keys == [KEYS[level](line.text) for line in lines]


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


def _kept(marks: Sequence[str]) -> int:
    return next((at for at, mark in enumerate(marks) if mark != " "), len(marks))
