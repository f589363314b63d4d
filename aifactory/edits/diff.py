"""Which lines two texts have in common, in about linear time for any input."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

from aifactory.edits.blocks import Line

_SMALL = 40_000  # cells (lines by lines) up to which the thorough comparison is affordable
_MOST_STEPS = 10_000_000  # that the thorough comparisons of two texts may take
_ROUNDS = 8  # times that each line may be looked at, on average, in search of unique ones
_FREE = 100_000  # lines that may be looked at besides


class Run(NamedTuple):
    """`size` equal items: `old[old:old + size] == new[new:new + size]`."""

    old: int
    new: int
    size: int


class Change(NamedTuple):
    """`old[old_from:old_to]` became `new[new_from:new_to]`."""

    old_from: int
    old_to: int
    new_from: int
    new_to: int


def common_runs(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Run]:
    """Equal runs in order. Lines that are unique on both sides lead, as in a patience diff."""
    runs: list[Run] = []
    todo = [(0, len(old), 0, len(new))]
    looks, steps = _ROUNDS * (len(old) + len(new)) + _FREE, _MOST_STEPS
    while todo:
        low, high, left, right = todo.pop()
        start = low, left
        while low < high and left < right and old[low] == new[left]:
            low, left = low + 1, left + 1
        end = high, right
        while low < high and left < right and old[high - 1] == new[right - 1]:
            high, right = high - 1, right - 1
        runs += [Run(*start, low - start[0])] if low > start[0] else []
        runs += [Run(high, right, end[0] - high)] if high < end[0] else []
        if low == high or left == right:
            continue
        looks -= high - low + right - left
        anchors = _anchors(old, new, low, high, left, right) if looks >= 0 else []
        if anchors:
            bounds = [(low - 1, left - 1), *anchors, (high, right)]
            todo += [(a + 1, c, b + 1, d) for (a, b), (c, d) in pairwise(bounds)]
            runs += [Run(a, b, 1) for a, b in anchors]
        elif (high - low) * (right - left) <= _SMALL and steps >= 0:
            steps -= _steps(old[low:high], new[left:right])
            matcher = SequenceMatcher(None, old[low:high], new[left:right], autojunk=False)
            runs += [Run(low + a, left + b, n) for a, b, n in matcher.get_matching_blocks()]
    return _joined(sorted(run for run in runs if run.size))


def _steps(old: Sequence[Hashable], new: Sequence[Hashable]) -> int:
    """The most steps that a thorough comparison takes: pairs of equal lines, for each run."""
    there = Counter(new)
    return sum(there[item] for item in old) * min(len(old), len(new)) + len(old) + len(new)


def changes(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[Change]:
    """What lies between the common runs."""
    at_old = at_new = 0
    for run in [*common_runs(old, new), Run(len(old), len(new), 0)]:
        if at_old < run.old or at_new < run.new:
            yield Change(at_old, run.old, at_new, run.new)
        at_old, at_new = run.old + run.size, run.new + run.size


def _joined(runs: list[Run]) -> list[Run]:
    joined: list[Run] = []
    for run in runs:
        if joined:
            last = joined[-1]
            if (last.old + last.size, last.new + last.size) == (run.old, run.new):
                joined[-1] = Run(last.old, last.new, last.size + run.size)
                continue
        joined.append(run)
    return joined


def _anchors(
    old: Sequence[Hashable], new: Sequence[Hashable], low: int, high: int, left: int, right: int
) -> list[tuple[int, int]]:
    """Pairs of lines that are unique on both sides, the longest series in the same order."""
    here, there = _unique(old, low, high), _unique(new, left, right)
    pairs = sorted((at, there[item]) for item, at in here.items() if item in there)
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for place, (_, to) in enumerate(pairs):
        length = bisect_left(tails, to)
        tails[length : length + 1] = [to]
        ends[length : length + 1] = [place]
        before.append(ends[length - 1] if length else -1)
    series: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        series.append(pairs[at])
        at = before[at]
    return series[::-1]


def _unique(items: Sequence[Hashable], low: int, high: int) -> dict[Hashable, int]:
    places: dict[Hashable, int] = {}
    twice: set[Hashable] = set()
    for at in range(low, high):
        if items[at] in places:
            twice.add(items[at])
        places[items[at]] = at
    return {item: at for item, at in places.items() if item not in twice}


def marked(old: list[str], new: list[str]) -> Iterator[Line]:
    """Old and new text as one list of kept, removed and added lines."""
    at = 0
    for change in changes(old, new):
        yield from (Line(" ", text) for text in old[at : change.old_from])
        yield from (Line("-", text) for text in old[change.old_from : change.old_to])
        yield from (Line("+", text) for text in new[change.new_from : change.new_to])
        at = change.old_to
    yield from (Line(" ", text) for text in old[at:])
