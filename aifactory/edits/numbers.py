"""Line numbers of a diff, believed only where the rest of the diff proves them right."""

from __future__ import annotations

from collections.abc import Sequence

from aifactory.edits.blocks import Block
from aifactory.edits.likeness import Level
from aifactory.edits.match import Place
from aifactory.edits.refusals import Ambiguous
from aifactory.edits.view import View

_CONTEXT = 3


def decide(blocks: list[Block], found: Sequence[Place | Ambiguous], view: View) -> list[Place]:
    """A place for every block; a block that fits several takes the one that its number names.

    That is a proof only if every number and count of the diff is right, each block has the
    context that a diff is made with, and another block of the file has one place only, which is
    where its number says. Raises the Ambiguous that cannot be decided.
    """
    unclear = [item for item in found if isinstance(item, Ambiguous)]
    if unclear and not _proven(blocks, found, view):
        raise unclear[0]
    return [
        item if isinstance(item, Place) else _at_number(block)
        for block, item in zip(blocks, found, strict=True)
    ]


def _at_number(block: Block) -> Place:
    low = (block.start or 1) - 1
    return Place(tuple(range(low, low + len(block.old))), Level.EXACT)


def _proven(blocks: list[Block], found: Sequence[Place | Ambiguous], view: View) -> bool:
    grown = 0
    witnesses = 0
    for block, item in zip(blocks, found, strict=True):
        low = (block.start or 0) - 1
        if not block.exact_counts or block.delta != grown or low < 0:
            return False
        if not _has_context(block, low, view):
            return False
        if isinstance(item, Place):
            if item.level is not Level.EXACT or item.rows[0] != low:
                return False
            witnesses += 1
        elif low not in item.rows:
            return False
        grown += len(block.new) - len(block.old)
    return witnesses > 0


def _has_context(block: Block, low: int, view: View) -> bool:
    marks = [line.mark for line in block.lines]
    before, after = _kept(marks), _kept(marks[::-1])
    first, last = low == 0, low + len(block.old) == len(view.lines)
    return max(before, after) <= _CONTEXT and (
        (first or before == _CONTEXT) and (last or after == _CONTEXT)
    )


def _kept(marks: Sequence[str]) -> int:
    return next((at for at, mark in enumerate(marks) if mark != " "), len(marks))
