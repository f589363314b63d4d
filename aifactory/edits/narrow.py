"""Which of several equal places a block means: what is said above it, or that it ends the file."""

from __future__ import annotations

import re

from aifactory.edits.blocks import Block
from aifactory.edits.likeness import KEYS, Level, indent
from aifactory.edits.view import View

_HEADING = re.compile(r"[A-Za-z_$]")
_HEADING_BYTES = 80
_CONTEXT = 3


def narrow(block: Block, view: View, places: list[int], level: Level) -> list[int]:
    """The places that remain, none lost if nothing tells them apart."""
    if block.at_end or any(not line.ended for line in block.lines if line.mark != "+"):
        at_end = [at for at in places if _ends(view, at + len(block.old))]
        places = at_end or places
    if block.anchors:
        places = _below(block.anchors, view, places)
    if len(places) > 1 and block.start is not None:
        places = _shown(block, view, places) or places
    old = [KEYS[level](line.text) for line in block.old]
    if len(places) > 1 and level is Level.EXACT and view.had_once(old):
        places = [at for at in places if all(view.original[at : at + len(old)])] or places
    return places


def _shown(block: Block, view: View, places: list[int]) -> list[int]:
    """The place that the number of a diff names, if what Git shows around a change fits it only:
    the unit that it is in, or that the file ends behind it.
    """
    marks = [line.mark for line in block.lines]
    ended = [] if marks[-_CONTEXT:] == [" "] * _CONTEXT else _at_end(block, view, places)
    headed = [at for at in places if _heading(view, at) == block.heading.rstrip()]
    if not block.heading or any(_HEADING.match(line.text) for line in block.old):
        headed = []
    return next((found for found in (ended, headed) if found == [(block.start or 0) - 1]), [])


def _at_end(block: Block, view: View, places: list[int]) -> list[int]:
    return [at for at in places if at + len(block.old) == len(view.lines)]


def _ends(view: View, row: int) -> bool:
    return not any(line.text.strip() for line in view.lines[row:])


def _below(anchors: tuple[str, ...], view: View, places: list[int]) -> list[int]:
    """The places below the anchor, each anchor searched below the one before.

    An anchor that the file does not have says nothing; one that it has twice neither.
    """
    row = -1
    for anchor in anchors:
        rows = [at for at in _rows(anchor, view) if at > row]
        if len(rows) != 1:
            return places
        row = rows[0]
    below = [at for at in places if at >= row]
    if len(below) < 2:
        return below
    inside = [at for at in below if at <= _scope_end(view, row)]
    return inside or below


def _rows(anchor: str, view: View) -> list[int]:
    for level in (Level.EXACT, Level.INDENT, Level.LOOK):
        wanted = KEYS[level](anchor)
        rows = [at for at, key in enumerate(view.keys(level)) if key == wanted]
        if rows:
            return rows
    return []


def _scope_end(view: View, row: int) -> int:
    """The last row of what the line at `row` begins, judged by indentation."""
    depth = len(indent(view.lines[row].text).expandtabs(8))
    for at in range(row + 1, len(view.lines)):
        text = view.lines[at].text
        if text.strip() and len(indent(text).expandtabs(8)) <= depth and text.strip()[0].isalpha():
            return at - 1
    return len(view.lines)


def _heading(view: View, at: int) -> str:
    """What a diff writes behind `@@` for a hunk at this row: the last line that begins a unit."""
    for row in range(at - 1, -1, -1):
        text = view.lines[row].text
        if _HEADING.match(text):
            return (
                text.encode("utf-8", "surrogateescape")[:_HEADING_BYTES]
                .decode("utf-8", "ignore")
                .rstrip()
            )
    return ""
