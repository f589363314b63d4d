"""A block whose kept lines are not all in the file any more, or were written with slips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from aifactory.edits.blocks import Block, Line
from aifactory.edits.diff import common_runs
from aifactory.edits.effort import spend
from aifactory.edits.elisions import Rows, across, elides
from aifactory.edits.likeness import KEYS, Level, is_similar, telling
from aifactory.edits.view import View

_COMMON = 50  # a line that stands in more places than this does not help to find one
_SLACK = 8  # lines that may have come in between
_GAPS = 20  # places where a block may leave lines out
_TRIES = 20
_SIMILAR = 0.75
_STEPS = 40  # of effort, to try a line in a place


def find(block: Block, view: View) -> list[Rows]:
    """Every place that fits: all removed lines, and two thirds of the kept ones, some of them lines
    that say something, and one that stands nowhere else.
    """
    gaps = [at for at, line in enumerate(block.old) if line.mark == " " and elides(line.text)]
    if len(gaps) > _GAPS:
        return []
    if gaps:
        return across(block, view, gaps)
    keys = [KEYS[Level.DRIFT](line.text) for line in block.old]
    found: dict[object, Rows] = {}
    best = 0
    for offset in _offsets(keys, view):
        spend(_STEPS * len(keys))
        if _keeps_all(block.old, keys, offset, view):
            return []
        rows = max(_straight(keys, view, offset), _aligned(keys, view, offset), key=_count)
        if _fits(block.old, keys, rows, view) and _is_close(block, keys, rows):
            spots = _spots(block, rows)
            found[spots] = max(rows, found.get(spots, ()), key=_count)
        else:
            best = max(best, _told(keys, rows))
    fitting = list(found.values())
    if any(_told(keys, rows) <= best for rows in fitting):
        return []
    return [_with_similar(keys, rows, view) for rows in fitting]


def _keeps_all(old: Sequence[Line], keys: list[str], offset: int, view: View) -> bool:
    """Whether every kept line stands just here, around other lines than the removed ones: the
    place that is meant, where somebody has changed what the block removes.
    """
    there = view.keys(Level.DRIFT)[max(0, offset) : max(0, offset + len(keys))]
    if offset < 0 or len(there) < len(keys):
        return False
    kept = [
        (key, here)
        for line, key, here in zip(old, keys, there, strict=True)
        if line.mark == " " and key
    ]
    return len(kept) > 1 and all(key == here for key, here in kept)


def _told(keys: list[str], rows: Rows) -> int:
    """How many lines that are not empty have a row."""
    return sum(row is not None for key, row in zip(keys, rows, strict=True) if key)


def _count(rows: Rows) -> int:
    return sum(row is not None for row in rows)


def _spots(block: Block, rows: Rows) -> tuple[object, ...]:
    """What the block changes if its lines stand in these rows."""
    spots: list[object] = []
    at = 0
    for line in block.lines:
        if line.mark == "+":
            above = rows[at - 1] if at else None
            below = rows[at] if at < len(rows) else None
            spots.append(above + 1 if above is not None else below)
        elif line.mark == "-":
            spots.append(rows[at])
        at += line.mark != "+"
    return tuple(spots)


def _offsets(keys: list[str], view: View) -> list[int]:
    """Where the block may start, the most likely first."""
    votes: Counter[int] = Counter()
    rows = view.rows()
    for at, key in enumerate(keys):
        places = rows.get(key, []) if key else []
        if len(places) <= _COMMON:
            votes.update([row - at for row in places])
    return [offset for offset, count in votes.most_common(_TRIES) if count]


def _straight(keys: list[str], view: View, offset: int) -> Rows:
    """The rows of the block's lines that stand just where they would, counted from `offset`."""
    there = view.keys(Level.DRIFT)
    rows = range(offset, offset + len(keys))
    return tuple(
        row if 0 <= row < len(there) and there[row] == key else None
        for row, key in zip(rows, keys, strict=True)
    )


def _aligned(keys: list[str], view: View, offset: int) -> Rows:
    """The rows of the block's lines near `offset`."""
    low = max(0, offset - _SLACK)
    window = view.keys(Level.DRIFT)[low : max(0, offset + len(keys) + _SLACK)]
    rows: list[int | None] = [None] * len(keys)
    for run in common_runs(keys, window):
        for at in range(run.size):
            rows[run.old + at] = low + run.new + at
    return tuple(rows)


def _with_similar(keys: list[str], found: Rows, view: View) -> Rows:
    """The rows, with those of lines with a slip that are left for them and hold a similar line."""
    rows, taken = list(found), set(found)
    there = view.keys(Level.DRIFT)
    for at, row in enumerate(rows):
        above, below = rows[at - 1] if at else None, _next(rows, at)
        if row is not None or (above is None and below is None):
            continue
        left = above + 1 if above is not None else (below or 0) - 1
        free = 0 <= left < len(there) and left not in taken
        if free and is_similar(keys[at], there[left], _SIMILAR):
            rows[at] = left
            taken.add(left)
    return tuple(rows)


def _next(rows: list[int | None], at: int) -> int | None:
    return rows[at + 1] if at + 1 < len(rows) else None


def _fits(old: Sequence[Line], keys: list[str], rows: Rows, view: View) -> bool:
    removed = [row for line, row in zip(old, rows, strict=True) if line.mark == "-"]
    if None in removed or not _contiguous(old, rows) or not _holds_empty(old, keys, rows):
        return False
    kept = [
        row is not None
        for line, key, row in zip(old, keys, rows, strict=True)
        if line.mark == " " and key
    ]
    found = [key for key, row in zip(keys, rows, strict=True) if row is not None and telling(key)]
    if 3 * sum(kept) < 2 * len(kept) or len(found) < (1 if removed else 2):
        return False
    if not any(len(view.rows()[key]) == 1 for key in found):
        return False
    return rows[-1] is not None or not _cut(keys[-1], rows, view)


def _contiguous(old: Sequence[Line], rows: Rows) -> bool:
    """Whether removed lines that follow each other in the block do so in the file."""
    return all(
        after == (before or 0) + 1
        for (first, before), (second, after) in pairwise(zip(old, rows, strict=True))
        if first.mark == second.mark == "-"
    )


def _holds_empty(old: Sequence[Line], keys: list[str], rows: Rows) -> bool:
    """Whether removed lines that are empty stand between the lines that the block has there."""
    return all(
        _follows(rows, at) and _follows(rows, at + 1)
        for at, line in enumerate(old)
        if line.mark == "-" and not keys[at]
    )


def _follows(rows: Rows, at: int) -> bool:
    """Whether the lines before and at `at` follow each other in the file, if there are two."""
    if not 0 < at < len(rows):
        return True
    above, below = rows[at - 1], rows[at]
    return above is not None and below == above + 1


def _cut(key: str, rows: Rows, view: View) -> bool:
    """Whether the last line looks like the beginning of a line of the file: the answer is cut."""
    near = max((row for row in rows if row is not None), default=0)
    following = view.keys(Level.DRIFT)[near + 1 : near + 1 + _SLACK]
    return any(line != key and line.startswith(key) for line in following)


def _is_close(block: Block, keys: list[str], rows: Rows) -> bool:
    """Whether the lines that say something and are around each change stand as close together in
    the file as in the block. Around removed lines one line more or less may lie in between; added
    ones have a place for certain only if there is one, or no empty line is out of place.
    """
    found = {at: row for at, row in enumerate(rows) if row is not None}
    sure = [at for at in found if telling(keys[at])]
    return all(
        _is_near(keys[above:below], found[below] - found[above], low == high)
        for low, high in _changes(block)
        for lines in (sure, sorted({*sure, *_beside(found, low, high)}))
        for above, below in _pairs(lines, low, high)
    )


def _beside(found: Collection[int], low: int, high: int) -> list[int]:
    """The lines just above and below a change that were found."""
    return [at for at in (low - 1, high) if at in found]


def _is_near(span: Sequence[str], distance: int, inserts: bool) -> bool:
    """Whether lines so far apart in the file may be those at both ends of a span of the block."""
    slack = 1 if not inserts or (len(span) > 1 and all(map(telling, span))) else 0
    return abs(distance - len(span)) <= slack or (inserts and distance == 1)


def _pairs(sure: list[int], low: int, high: int) -> Iterator[tuple[int, int]]:
    """The nearest sure lines around a change, or those next to each end of its removed lines."""
    inside = [at for at in sure if low <= at < high]
    above = [at for at in sure if at < low][-1:]
    below = [at for at in sure if at >= high][:1]
    yield from pairwise([*above, *inside[:1]] if inside else [*above, *below])
    yield from pairwise([*inside[-1:], *below])


def _changes(block: Block) -> Iterator[tuple[int, int]]:
    """Where the changes are among the old lines: from, to."""
    at = start = 0
    touched = False
    for line in (*block.lines, Line(" ", "")):
        if line.mark == " ":
            if touched:
                yield start, at
            at, start, touched = at + 1, at + 1, False
        else:
            touched = True
            at += line.mark == "-"
