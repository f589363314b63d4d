"""Three-way merge of lines: two changes of the same base, if they do not meet."""

from __future__ import annotations

from aifactory.edits.diff import Change, changes

Text = list[str]


class Conflict(Exception):
    """Both sides changed the same lines; `old_from` and `old_to` are lines of the base, from 0."""

    def __init__(self, old_from: int, old_to: int) -> None:
        first, last = old_from + 1, max(old_from + 1, old_to)
        super().__init__(f"lines {first} to {last}" if first < last else f"line {first}")


def merge(base: str, ours: str, theirs: str) -> str:
    """`base` with the changes of both sides. Neighbouring changes are no conflict, unless one
    inserts where the other does, or takes lines away; the same change on both sides counts once.
    Raises Conflict.
    """
    old, our, their = (_lines(text) for text in (base, ours, theirs))
    merged: Text = []
    at = 0
    for change, side in _combined(old, our, their):
        merged += old[at : change.old_from]
        merged += side[change.new_from : change.new_to]
        at = change.old_to
    merged += old[at:]
    if any(not line.endswith("\n") for line in merged[:-1]):
        raise Conflict(len(old) - 1, len(old))  # one side ends the file where the other goes on
    if _is_mixed(merged) and not (_is_mixed(our) or _is_mixed(their)):
        raise Conflict(0, len(old))  # one side changed how all lines end
    return "".join(merged)


def _is_mixed(lines: Text) -> bool:
    """Whether some lines end in CRLF and some in LF."""
    return len({line.endswith("\r\n") for line in lines if line.endswith("\n")}) > 1


def _lines(text: str) -> Text:
    parts = text.split("\n")
    last = parts.pop()
    lines = [part + "\n" for part in parts]
    return [*lines, last] if last else lines


def _combined(old: Text, our: Text, their: Text) -> list[tuple[Change, Text]]:
    """The changes of both sides in the order of the base."""
    both = [(change, our) for change in changes(old, our)]
    both += [(change, their) for change in changes(old, their)]
    both.sort(key=lambda item: item[0][:2])
    kept: list[tuple[Change, Text]] = []
    for change, side in both:
        if kept and kept[-1][1] is not side:
            last, other = kept[-1]
            same = side[change.new_from : change.new_to] == other[last.new_from : last.new_to]
            if same and change[:2] == last[:2]:
                continue
            reaches = _reach(old, last, other), _reach(old, change, side)
            wide = reaches != (last[:2], change[:2]) or _takes_beside(last, change)
            if _meet(*reaches, slid=wide):
                raise Conflict(min(last.old_from, change.old_from), max(last.old_to, change.old_to))
        kept.append((change, side))
    return kept


def _takes_beside(first: Change, second: Change) -> bool:
    """Whether one of two changes only inserts, and the other leaves fewer lines than it found."""

    def inserts(change: Change) -> bool:
        return change.old_from == change.old_to

    def takes(change: Change) -> bool:
        return change.old_to - change.old_from > change.new_to - change.new_from

    return (inserts(first) and takes(second)) or (inserts(second) and takes(first))


def _reach(old: Text, change: Change, side: Text) -> tuple[int, int]:
    """The lines of the base among which the change could lie as well: repeated ones around a pure
    insertion or deletion leave open which of them it is.
    """
    low, high = change.old_from, change.old_to
    if low < high and change.new_from < change.new_to:
        return low, high
    moved = old[low:high] or side[change.new_from : change.new_to]
    up = down = 0
    while up < low and old[low - 1 - up] == moved[-1 - up % len(moved)]:
        up += 1
    while high + down < len(old) and old[high + down] == moved[down % len(moved)]:
        down += 1
    return low - up, high + down


def _meet(first: tuple[int, int], second: tuple[int, int], slid: bool) -> bool:
    """Whether two reaches have a line in common; if one is wider than its change, or both are
    insertions at one place, touching is enough.
    """
    if slid or first[0] == first[1] == second[0] == second[1]:
        return second[0] <= first[1] and first[0] <= second[1]
    return second[0] < first[1] and first[0] < second[1]
