"""How the indentation of an answer relates to that of the file, and added lines to follow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from aifactory.edits.likeness import indent


class Pair(NamedTuple):
    """The indentation of one line in the answer and in the file."""

    said: str
    true: str


class Shift(NamedTuple):
    """A way from the answer's indentation to the file's."""

    kind: str  # same, more, less, wider, tabs, spaces
    text: str = ""
    size: int = 0


_SIZES = (4, 2, 8, 3)  # spaces that a tab may stand for
_SURE = 3
SAME = Shift("same")


class NoShift(Exception):
    """The lines do not agree on how the indentation differs."""


def shift_of(
    removed: list[Pair], kept: list[Pair], added: list[str], known: Collection[str]
) -> Shift:
    """The one shift that the lines witness; removed lines are the better witnesses.

    Where they do not agree, or a single space that only kept lines witness may be a lost mark of
    a diff, the shift must give every one of the `added` indentations one that is `known` in the
    file, and no other may. Raises NoShift.
    """
    pairs = [*removed, *kept]
    if not added or all(pair.said == pair.true for pair in pairs):
        return SAME
    if _is_flat(pairs, kept, added):
        raise NoShift
    if turned := converted(pairs):
        if any(said in known and shifted(said, turned) != said for said in added):
            raise NoShift  # the file has tabs and spaces, the line may be right as it is
        return turned
    added, witnesses = list(dict.fromkeys(added)), _witnesses(pairs)
    if any(map(_is_turned, pairs)) and any(witnesses.get(said) != {said} for said in added if said):
        raise NoShift
    shift = _agreed(removed, kept, added) or _fitting(removed, kept, added, known)
    if not all(_is_likely(said, shift, known, witnesses) for said in added):
        raise NoShift
    return shift


def _is_flat(pairs: list[Pair], kept: list[Pair], added: list[str]) -> bool:
    """Whether the beginning of a text may have been stripped and nothing else, or all of the block
    has lost its indentation, and steps inside of it as well.
    """
    stripped = [pair.said for pair in pairs] == [""] and (bool(kept) or len(added) > 1)
    return stripped or (len(added) > 1 and not any([*added, *(pair.said for pair in pairs)]))


def _agreed(removed: list[Pair], kept: list[Pair], added: list[str]) -> Shift | None:
    """The shift that the lines witness together, None if they leave it open. Raises NoShift if
    most witness it, and some do not.
    """
    if removed and all(pair.said == pair.true for pair in removed):
        return SAME
    by_kept, by_removed = _majority(kept), _majority(removed)
    agreed = by_removed if not kept or by_kept == by_removed else None
    if by_removed and _explains(by_removed, kept):
        agreed = by_removed
    if not removed:
        agreed = by_kept
    if agreed is None or agreed == SAME:
        return agreed
    explained = all(shifted(pair.said, agreed) == pair.true for pair in [*removed, *kept])
    if not explained or (not removed and _is_level(added, kept)):
        raise NoShift
    return agreed if len(agreed.text) > 1 or _is_certain(agreed, removed, kept) else None


def _fitting(
    removed: list[Pair], kept: list[Pair], added: list[str], known: Collection[str]
) -> Shift:
    """The only possible shift to indentations that the file knows. Raises NoShift."""
    possible = dict.fromkeys([SAME, *filter(None, (_majority(kept), _majority(removed)))])
    fitting = [s for s in possible if all(shifted(said, s) in known for said in added)]
    if len(fitting) != 1:
        raise NoShift
    return fitting[0]


def _is_level(added: list[str], kept: list[Pair]) -> bool:
    """Whether an added line has the indentation of kept ones in the file, and of none in the
    answer: the kept lines may have slipped, and not the block.
    """
    said, true = {pair.said for pair in kept}, {pair.true for pair in kept}
    return any(white in true and white not in said for white in added)


def _is_turned(pair: Pair) -> bool:
    """Whether the answer has spaces for the file's tabs, or the other way round."""
    return ("\t" in pair.said) != ("\t" in pair.true)


def _witnesses(pairs: list[Pair]) -> dict[str, set[str]]:
    """What the file has for each indentation of the answer."""
    found: dict[str, set[str]] = {}
    for said, true in pairs:
        found.setdefault(said, set()).add(true)
    return found


def converted(pairs: list[Pair]) -> Shift | None:
    """The way from tabs to spaces or back that explains all pairs, if there is one."""
    ways = {shift for pair in pairs for shift in _possible(pair) if shift.size}
    fitting = [way for way in ways if all(shifted(p.said, way) == p.true for p in pairs)]
    return fitting[0] if len(fitting) == 1 else None


def _is_likely(
    said: str, shift: Shift, known: Collection[str], witnesses: dict[str, set[str]]
) -> bool:
    """Whether no line with the same indentation in the answer speaks against the shift, and it
    does not lead from an indentation of the file to one that is none.
    """
    true = shifted(said, shift)
    if said in witnesses and witnesses[said] != {true}:
        return False
    return not said or said not in known or true in known


def _is_certain(shift: Shift, removed: list[Pair], kept: list[Pair]) -> bool:
    """Whether a shift by one character is more than a slip in some lines: all lines have it."""
    if shift.text != " ":
        return True
    pairs = [*removed, *kept]
    return (
        bool(removed)
        and len(pairs) >= _SURE
        and all(shifted(pair.said, shift) == pair.true for pair in pairs)
    )


def _explains(shift: Shift, pairs: list[Pair]) -> bool:
    return _explained(shift, pairs) * 2 > len(pairs)


def _explained(shift: Shift, pairs: list[Pair]) -> int:
    return sum(shifted(pair.said, shift) == pair.true for pair in pairs)


def _majority(pairs: list[Pair]) -> Shift | None:
    """The shift that explains more than half of the pairs, and more than any other does."""
    votes = Counter(shift for pair in pairs for shift in _possible(pair))
    scores = Counter({s: _explained(s, pairs) if s.size else votes[s] for s in votes})
    best = scores.most_common(2)
    if not best or best[0][1] * 2 <= len(pairs):
        return None
    if len(best) > 1 and best[0][1] == best[1][1]:
        return best[0][0] if SAME in (best[0][0], best[1][0]) and len(pairs) < 2 else None
    return best[0][0]


def _possible(pair: Pair) -> Iterable[Shift]:
    said, true = pair
    if said == true:
        yield SAME
    elif true.endswith(said):
        yield Shift("more", true[: len(true) - len(said)])
    elif said.endswith(true):
        yield Shift("less", said[: len(said) - len(true)])
    if "\t" in true and "\t" not in said:
        yield from (Shift("tabs", size=size) for size in _SIZES)
    if "\t" in said and "\t" not in true:
        yield from (Shift("spaces", size=size) for size in _SIZES)


def shifted(said: str, shift: Shift) -> str | None:
    """The indentation after the shift, None if it cannot be done."""
    return _WAYS[shift.kind](said, shift)


def unshifted(true: str, shift: Shift) -> str:
    """The indentation that an answer with this way from tabs to spaces, or back, has for `true`."""
    back = Shift({"tabs": "spaces", "spaces": "tabs"}[shift.kind], size=shift.size)
    return shifted(true, back) or true


def _less(said: str, shift: Shift) -> str | None:
    return said[len(shift.text) :] if said.startswith(shift.text) else None


def _tabs(said: str, shift: Shift) -> str | None:
    if "\t" in said:
        return said  # as the file has it already
    count, rest = divmod(len(said), shift.size)
    return None if said.strip(" ") else "\t" * count + " " * rest


def _spaces(said: str, shift: Shift) -> str | None:
    return said.replace("\t", " " * shift.size)


_WAYS: dict[str, Callable[[str, Shift], str | None]] = {
    "same": lambda said, shift: said,
    "more": lambda said, shift: shift.text + said,
    "less": _less,
    "tabs": _tabs,
    "spaces": _spaces,
}


def reindented(text: str, shift: Shift) -> str:
    """A line after the shift; empty lines stay empty. Raises NoShift."""
    if shift.kind == "less" and text == shift.text:
        return ""
    if shift == SAME or not text.strip(" \t\r"):
        return text
    said = indent(text)
    true = shifted(said, shift)
    if true is None:
        raise NoShift
    return true + text[len(said) :]
