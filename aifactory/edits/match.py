"""Where in a file a block belongs: one place, at the first level of tolerance that has any."""

from __future__ import annotations

from dataclasses import dataclass

from aifactory.edits import drift, narrow
from aifactory.edits.blocks import Block
from aifactory.edits.likeness import KEYS, Level, telling
from aifactory.edits.refusals import already_there, ambiguous, no_lines, not_found
from aifactory.edits.view import View

_EXACT_LEVELS = (Level.EXACT, Level.SPACE, Level.INDENT, Level.LOOK, Level.DASH, Level.BYTES)


@dataclass(frozen=True)
class Place:
    """The row of each kept or removed line of a block, None for kept lines that are not there."""

    rows: tuple[int | None, ...]
    level: Level

    @property
    def start(self) -> int | None:
        """Where the block begins, judged by its first line that is there; None if it has none."""
        return next((row - at for at, row in enumerate(self.rows) if row is not None), None)


def is_open(block: Block, place: Place, view: View) -> bool:
    """Whether lines are added above or below all others of the block, though the file goes on
    there: nothing shows that no line is missing in between.
    """
    marks = "".join(line.mark for line in block.lines)
    above, below = (text.lstrip("+") for text in (marks, marks[::-1]))
    open_above = above != marks and above[:1] == " " and place.rows[0] != 0
    open_below = below != marks[::-1] and below[:1] == " "
    return open_above or (open_below and place.rows[-1] != len(view.lines) - 1)


def find(block: Block, view: View, path: str) -> Place:
    """The place of `block` in the file. Raises EditRefused if there is none, or more than one."""
    old = block.old
    if not old:
        return _without_lines(block, view, path)
    levels = _EXACT_LEVELS if len(old) <= len(view.lines) else ()
    for level in levels:
        key = KEYS[level]
        wanted = [key(line.text) for line in old]
        if level > Level.EXACT and not any(map(telling, wanted)):
            break
        if places := view.places(wanted, level):
            at = _only(block, view, places, level, path)
            _check_not_there(block, view, at, at + len(old), path)
            return Place(tuple(range(at, at + len(old))), level)
    _check_not_there_already(block, view, path)
    found = drift.find(block, view) if len(old) <= 2 * len(view.lines) else []
    if len(found) > 1:
        raise ambiguous(block, view, [_first(rows) for rows in found], Level.DRIFT, path)
    if not found:
        raise not_found(block, view, path)
    return Place(found[0], Level.DRIFT)


def _without_lines(block: Block, view: View, path: str) -> Place:
    """Lines that are only added have a place in an empty file, or at the end if they say so."""
    if view.lines and not block.at_end:
        raise no_lines(block, path)
    _check_not_there_already(block, view, path)
    return Place((), Level.EXACT)


def _first(rows: tuple[int | None, ...]) -> int:
    return next(row for row in rows if row is not None)


def _only(block: Block, view: View, places: list[int], level: Level, path: str) -> int:
    """The one place, by what stands in the block or above it if the lines alone do not tell."""
    chosen = narrow.narrow(block, view, places, level)
    if len(chosen) != 1:
        raise ambiguous(block, view, places, level, path)
    return chosen[0]


def _check_not_there(block: Block, view: View, low: int, high: int, path: str) -> None:
    """Raise if lines to be added at the edge of a block stand beyond that edge already."""
    keys = view.keys(Level.SPACE)
    if _stands_around(block, keys, low, high):
        raise already_there(block, view, low, path)
    tail = _edge(block, -1)
    if tail and keys[high : high + len(tail)] == tail:
        raise already_there(block, view, high, path)
    head = _edge(block, 1)
    if head and low >= len(head) and keys[low - len(head) : low] == head:
        raise already_there(block, view, low - len(head), path)


def _stands_around(block: Block, keys: list[str], low: int, high: int) -> bool:
    """Whether the block only adds, and its result is there with the place at its end or start."""
    if not any(line.mark == "+" and line.text.strip() for line in block.lines):
        return False
    new, size = [KEYS[Level.SPACE](line.text) for line in block.new], len(block.new)
    only_adds = size - len(block.old) == sum(line.mark == "+" for line in block.lines)
    return only_adds and new in (keys[low : low + size], keys[max(0, high - size) : high])


def _edge(block: Block, step: int) -> list[str]:
    """The keys of lines that are added, and none removed, at the start (1) or end (-1)."""
    keys: list[str] = []
    for line in block.lines[::step]:
        if line.mark == "-":
            return []
        if line.mark == " ":
            break
        keys.append(KEYS[Level.SPACE](line.text))
    return keys[::step] if any(map(telling, keys)) else []


def _check_not_there_already(block: Block, view: View, path: str) -> None:
    """Raise if what the block would make is in the file: somebody was faster."""
    if len(block.new) > len(view.lines):
        return
    if not any(line.mark == "+" and telling(line.text) for line in block.lines):
        return
    for level in (Level.EXACT, Level.INDENT):
        places = view.places([KEYS[level](line.text) for line in block.new], level)
        if places:
            raise already_there(block, view, places[0], path)
