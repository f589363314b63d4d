"""What a model is told when a block has no place: its file, its number, the file's true lines."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence

from aifactory.edits.blocks import Block
from aifactory.edits.likeness import KEYS, Level, closest, telling
from aifactory.edits.view import View
from aifactory.errors import EditRefused

_SHOWN = 12
_WIDTH = 160
_COMPARED = 3_000
_SIMILAR = 400  # pairs of lines of which it is computed how similar they are
_LOOKED_UP = 4  # lines of a block
_PLACES = 200  # of lines that are alike
_ABOVE = 3


class Ambiguous(EditRefused):
    """A block fits several places; `rows` are where it would begin, if it fits exactly."""

    rows: tuple[int, ...] = ()


def ambiguous(block: Block, view: View, rows: Sequence[int], level: Level, path: str) -> Ambiguous:
    lines = ", ".join(str(row + 1) for row in sorted(rows)[:8])
    refusal = Ambiguous(
        f"{path}: edit {block.number} fits {len(rows)} places (lines {lines})",
        next_step="give more of the lines around it, so that one place fits only",
        evidence="\n...\n".join(_around(view, row) for row in sorted(rows)[:3]),
    )
    refusal.rows = tuple(rows) if level is Level.EXACT else ()
    return refusal


def occurs_again(block: Block, view: View, rows: Sequence[int], path: str) -> EditRefused:
    lines = ", ".join(str(row + 1) for row in rows)
    return EditRefused(
        f"{path}: the old text of edit {block.number} occurs more than once (lines {lines})",
        next_step="give more of the lines around it, so that it occurs once",
        evidence="\n...\n".join(_around(view, row) for row in rows[:3]),
    )


def already_there(block: Block, view: View, row: int, path: str) -> EditRefused:
    return EditRefused(
        f"{path}: edit {block.number} is in the file already, at line {row + 1}",
        next_step="leave the edit out, or compare with the file as it is",
        evidence=_numbered(view, row, min(_SHOWN, max(1, len(block.new)))),
    )


def not_found(block: Block, view: View, path: str) -> EditRefused:
    """The nearest place, with its true lines, and the first line that differs there."""
    if not view.lines:
        return EditRefused(f"{path}: edit {block.number} changes lines, but the file is empty")
    row = _nearest(block, view)
    what = _difference(block, view, row)
    return EditRefused(
        f"{path}: edit {block.number} was not found; nearest is line {row + 1}: {what}",
        next_step="copy the lines to change from the file, letter by letter",
        evidence=_numbered(view, row, min(_SHOWN, max(3, len(block.old)))),
    )


def taken_by_others(block: Block, view: View, row: int, path: str) -> EditRefused:
    return EditRefused(
        f"{path}: edit {block.number} names line {row + 1}, where the lines around it are, but not "
        "all of its own; those stand elsewhere",
        next_step="look at the file as it is now, and say which place is meant",
        evidence=_numbered(view, row, min(_SHOWN, max(3, len(block.old)))),
    )


def one_sided(block: Block, path: str) -> EditRefused:
    return EditRefused(
        f"{path}: edit {block.number} adds lines at its edge, and does not show what follows there",
        next_step="give three lines above and three lines below every change",
    )


def not_at_end(block: Block, path: str) -> EditRefused:
    return EditRefused(
        f"{path}: edit {block.number} says that the file ends there without a newline, but its "
        "lines stand elsewhere",
        next_step="look at the file as it is now, and say which place is meant",
    )


def no_lines(block: Block, path: str) -> EditRefused:
    return EditRefused(
        f"{path}: edit {block.number} adds lines but does not say where",
        next_step="give the lines above and below the place",
    )


def _nearest(block: Block, view: View) -> int:
    """The row where most of the block's lines would be in place."""
    votes: Counter[int] = Counter()
    rows = view.rows()
    for at, line in enumerate(block.old[:_COMPARED]):
        key = KEYS[Level.DRIFT](line.text)
        weight = 2 if line.mark == "-" else 1
        if telling(key):
            votes.update({max(0, row - at): weight for row in rows.get(key, [])[:20]})
    if votes:
        return min(votes.most_common(1)[0][0], len(view.lines) - 1)
    return _most_similar(block, view)


def _most_similar(block: Block, view: View) -> int:
    """The row where some of the block's lines are most like the file's; what is named above the
    place decides between equal ones.
    """
    known = [line.text.strip()[:_WIDTH] for line in view.lines[:_COMPARED]]
    named = _named_row(block, known)
    wanted = [(at, line.text.strip()[:_WIDTH]) for at, line in enumerate(block.old[:_COMPARED])]
    telltale = [one for one in wanted if telling(one[1])] or wanted
    likeness: Counter[int] = Counter()
    for at, text in telltale[: max(1, min(_LOOKED_UP, _SIMILAR // len(known)))]:
        alike = {
            close: round(100 * difflib.SequenceMatcher(None, text, close).ratio())
            for close in closest(text, known, 3, 0.5)
        }
        rows = [row for row, line in enumerate(known) if line in alike]
        likeness.update({max(0, row - at): alike[known[row]] for row in rows[:_PLACES]})
    if not likeness:
        return max(named, 0)
    return max(likeness, key=lambda row: (likeness[row], row > named, -row))


def _named_row(block: Block, known: Sequence[str]) -> int:
    """The row of the line that the block names above its place, -1 if there is none."""
    named = [text.strip() for text in (*block.anchors, block.heading) if text.strip()]
    return next((known.index(text) for text in reversed(named) if text in known), -1)


def _difference(block: Block, view: View, row: int) -> str:
    keys = view.keys(Level.SPACE)
    for at, line in enumerate(block.old, start=row):
        there = keys[at] if at < len(keys) else None
        if there is None:
            return f"the file ends after line {len(keys)}"
        if there != KEYS[Level.SPACE](line.text):
            return f"line {at + 1} is {there[:_WIDTH]!r}, the answer has {line.text[:_WIDTH]!r}"
    return "white space or line ends differ"


def _around(view: View, row: int) -> str:
    """A place with lines above it, which may tell it from the others."""
    above = min(row, _ABOVE)
    return _numbered(view, row - above, above + 3)


def _numbered(view: View, row: int, count: int) -> str:
    shown = view.lines[row : row + count]
    return "\n".join(f"{at:>5} | {line.text[:_WIDTH]}" for at, line in enumerate(shown, row + 1))
