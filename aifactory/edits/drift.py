"""A block whose kept lines are not all in the file any more, or were written with slips."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from aifactory.edits.blocks import Block, Line
from aifactory.edits.diff import common_runs
from aifactory.edits.likeness import KEYS, Level
from aifactory.edits.view import View

Rows = tuple[int | None, ...]

_COMMON = 50  # a line that stands in more places than this does not help to find one
_SLACK = 8  # lines that may have come in between
_GAPS = 20  # places where a block may leave lines out
_TRIES = 20
_SIMILAR = 0.75
_WORDS = (
    r"rest|existing|unchanged|same|remain\w*|previous|omitted|other|more|code|before|above|"
    r"below|keep|snip|etc|truncated|elided|skipped"
)
_ELISION = re.compile(
    rf"\s*(?:#|//|/\*|\*|--|;+|%|<!--|\{{/\*|\"|')*\s*[\[(<]?(?:\.\.\.+|\u2026)"
    rf"(?:[^\n]*\b(?:{_WORDS})\b[^\n]*)?[\])>]?\s*(?:\*/\}}?|-->)?\s*"
    rf"|\s*(?:#|//|/\*|\*|--|;+|%|<!--)+[^\n]*\b(?:{_WORDS})\b[^\n]*(?:\.\.\.|\u2026)[^\n]*",
    re.IGNORECASE,
)


def elides(text: str) -> bool:
    """Whether a line stands for others that were left out: `...`, `# ... rest unchanged ...`."""
    return (
        len(text) < 200 and ("..." in text or "\u2026" in text) and bool(_ELISION.fullmatch(text))
    )


def find(block: Block, view: View) -> list[Rows]:
    """Every place that fits: all removed lines, and two thirds of the kept ones, at least two."""
    gaps = [at for at, line in enumerate(block.old) if line.mark == " " and elides(line.text)]
    if len(gaps) > _GAPS:
        return []
    if gaps:
        return _across(block, view, gaps)
    keys = [KEYS[Level.DRIFT](line.text) for line in block.old]
    found: dict[object, Rows] = {}
    best = 0
    for offset in _offsets(keys, view):
        if _keeps_all(block.old, keys, offset, view):
            return []
        rows = _aligned(keys, view, offset)
        if _fits(block.old, keys, rows, view):
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
    rows = list(found)
    there = view.keys(Level.DRIFT)
    for at, row in enumerate(rows):
        above, below = rows[at - 1] if at else None, _next(rows, at)
        if row is not None or (above is None and below is None):
            continue
        left = above + 1 if above is not None else (below or 0) - 1
        free = 0 <= left < len(there) and left not in rows
        if free and SequenceMatcher(None, keys[at], there[left]).ratio() >= _SIMILAR:
            rows[at] = left
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
    matched = sum(kept) + sum(1 for row in removed if row is not None)
    if 3 * sum(kept) < 2 * len(kept) or matched < 2:
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


def _across(block: Block, view: View, gaps: list[int]) -> list[Rows]:
    """The rows of a block that leaves lines out. Each part that changes something must have one
    place between those of its neighbours; a part that does not may stay open.
    """
    bounds = list(zip([-1, *gaps], [*gaps, len(block.old)], strict=True))
    parts = [block.old[low + 1 : high] for low, high in bounds]
    starts = [_part(part, view) if part else [] for part in parts]
    changed = _changed(block, gaps)
    found: list[int | None] = [None] * len(parts)
    for _ in parts:
        for at, part in enumerate(parts):
            inside = _between(starts[at], found, at, parts)
            if not inside and part and at in changed:
                return []
            found[at] = inside[0] if len(inside) == 1 else None
    if any(found[at] is None for at in changed if parts[at]):
        return []
    rows: list[int | None] = []
    for at, part in enumerate(parts):
        start = found[at]
        rows += [None] if at else []
        rows += [None] * len(part) if start is None else range(start, start + len(part))
    return [tuple(rows)] if any(row is not None for row in rows) else []


def _changed(block: Block, gaps: list[int]) -> set[int]:
    """Which parts touch a removed or added line."""
    changed: set[int] = set()
    part = row = 0
    for line in block.lines:
        if line.mark == "+":
            changed.add(part)
            continue
        if line.mark == "-":
            changed.add(part)
        part += row in gaps
        row += 1
    return changed


def _between(
    starts: list[int], found: list[int | None], at: int, parts: Sequence[Sequence[Line]]
) -> list[int]:
    """The places of a part below the nearest known part before it, above the one behind it."""
    low = max((s + len(parts[i]) for i, s in enumerate(found[:at]) if s is not None), default=0)
    high = min((s for s in found[at + 1 :] if s is not None), default=None)
    size = len(parts[at])
    return [s for s in starts if s >= low and (high is None or s + size <= high)]


def _part(part: Sequence[Line], view: View) -> list[int]:
    for level in (Level.EXACT, Level.SPACE, Level.INDENT, Level.LOOK):
        places = view.places([KEYS[level](line.text) for line in part], level)
        if places:
            return places
    return []
