"""Which of several equal places a block means: what is said above it, or that it ends the file."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from aifactory.edits.blocks import Block
from aifactory.edits.effort import spend
from aifactory.edits.likeness import KEYS, Level, indent
from aifactory.edits.view import HEADING, View

_HEADING_BYTES = 80
_CONTEXT = 3
_STEPS = 10  # of effort, to look at a line


def narrow(block: Block, view: View, places: list[int], level: Level) -> list[int]:
    """The places that remain, none lost if nothing tells them apart."""
    if block.at_end or any(not line.ended for line in block.lines if line.mark != "+"):
        end = _end(view)
        at_end = [at for at in places if at + len(block.old) >= end]
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
    headed: list[int] = []
    if block.heading and not any(HEADING.match(line.text) for line in block.old):
        headed = [at for at in places if _heading(view, at) == block.heading.rstrip()]
    return next((found for found in (ended, headed) if found == [(block.start or 0) - 1]), [])


def _at_end(block: Block, view: View, places: list[int]) -> list[int]:
    return [at for at in places if at + len(block.old) == len(view.lines)]


def _end(view: View) -> int:
    """The row behind the last line that is not empty."""
    at = len(view.lines)
    while at and not view.lines[at - 1].text.strip():
        at -= 1
    spend(_STEPS * (len(view.lines) - at))
    return at


def _below(anchors: tuple[str, ...], view: View, places: list[int]) -> list[int]:
    """The places below the anchor, each anchor searched below the one before.

    An anchor that the file does not have says nothing; one that it has twice neither.
    """
    row = -1
    for anchor in anchors:
        rows = _rows(anchor, view)
        first = bisect_right(rows, row)
        if len(rows) - first != 1:
            return places
        row = rows[first]
    below = [at for at in places if at >= row]
    if len(below) < 2:
        return below
    end = _scope_end(view, row)
    inside = [at for at in below if at <= end]
    return inside or below


def _rows(anchor: str, view: View) -> list[int]:
    for level in (Level.EXACT, Level.INDENT, Level.LOOK):
        if rows := view.rows(level).get(KEYS[level](anchor)):
            return rows
    return []


def _scope_end(view: View, row: int) -> int:
    """The last row of what the line at `row` begins, judged by indentation."""
    depth = len(indent(view.lines[row].text).expandtabs(8))
    rows = range(row + 1, len(view.lines))
    end = next((at - 1 for at in rows if _begins(view.lines[at].text, depth)), len(view.lines))
    spend(_STEPS * (end - row))
    return end


def _begins(text: str, depth: int) -> bool:
    """Whether a line begins something else, where what is above is indented more than `depth`."""
    return text.strip()[:1].isalpha() and len(indent(text).expandtabs(8)) <= depth


def _heading(view: View, at: int) -> str:
    """What a diff writes behind `@@` for a hunk at this row: the last line that begins a unit."""
    above = bisect_left(view.headings, at)
    text = view.lines[view.headings[above - 1]].text if above else ""
    start = text.encode("utf-8", "surrogateescape")[:_HEADING_BYTES]
    return start.decode("utf-8", "ignore").rstrip()
