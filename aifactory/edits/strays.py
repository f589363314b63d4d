"""Lines of a whole-file answer that are the file's but for characters: slips, or a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aifactory.edits import margins
from aifactory.edits.characters import check_lost, in_characters, is_rule, learn
from aifactory.edits.evidence import Evidence
from aifactory.edits.likeness import LOOKS, gained_looks, is_decomposed
from aifactory.edits.text import FileLine
from aifactory.edits.view import View
from aifactory.errors import EditRefused

_GAINED = 3  # lines that must gain white space at their end for it to be a slip
_STRAYS = 2  # lines that must stray in the same way to show a way of writing
_MANY = 3  # lines that become typographic beside another change: hardly a part of it
_WHITE = " \t\r"
_KINDS = (frozenset("'\""), frozenset("\u2018\u2019\u201c\u201d"))
Pairs = list[tuple[int, int]]
"""Rows of the file and of the answer that are the same line."""


def in_file_text(
    before: list[FileLine],
    after: list[FileLine],
    pairs: Pairs,
    view: View,
    path: str,
    evidence: Evidence,
) -> list[FileLine]:
    """The lines with the file's characters, where the answer strays from them throughout."""
    strays = [(a, b) for a, b in pairs if before[a].text != after[b].text]
    if strays and _is_stripped([(before[a].text, after[b].text) for a, b in pairs]):
        raise margins.uneven(f"{path}: the answer")
    gained = {b: before[a].text for a, b in strays if _gains(before[a].text, after[b].text)}
    true = {b: before[a].text for a, b in strays if _is_slip(before[a].text, after[b].text)}
    trimmed = len(gained) >= _GAINED or (bool(gained) and evidence.trails)
    if any(text.strip() for text in gained.values()) and not trimmed:
        raise margins.uneven(f"{path}: the answer")
    evidence.trails |= trimmed
    true |= gained if trimmed else {}
    evidence.composed |= any(is_decomposed(after[b].text) for b in true)
    looks = {b: before[a].text for a, b in strays if _looks(before[a].text, after[b].text)}
    texts = [(before[a].text, after[b].text) for a, b in pairs]
    if not _is_throughout(texts, view, evidence):
        _check_strays([pair for pair in texts if not _hides(*pair, view)], view, path)
        looks = {b: text for b, text in looks.items() if _hides(text, after[b].text, view)}
    for b, text in looks.items():
        learn(text, after[b].text, evidence)
    true |= looks
    suffix = margins.gained(texts)
    same = {b for _, b in pairs}
    result = []
    for at, line in enumerate(after):
        text = true.get(at, line.text)
        if at not in same:
            check_lost(text, view, path, evidence)
            text = in_characters(text, evidence, view, f"{path}: line {at + 1} of the answer")
            text = _trimmed(text, suffix) if trimmed else text
        result.append(FileLine(text, line.end))
    return result


def _trimmed(text: str, suffix: str) -> str:
    """A new line without the white space that all lines of the answer gain, or any if it is not
    always the same.
    """
    return text.removesuffix(suffix) if suffix else text.rstrip(_WHITE)


def _gains(true: str, said: str) -> bool:
    """Whether the answer has white space at the end of a line where the file has none."""
    return len(said) > len(true) and said.rstrip(_WHITE) == true.rstrip(_WHITE)


def _is_stripped(texts: Sequence[tuple[str, str]]) -> bool:
    """Whether the answer has lost the white space at the end of every line that has some, beside
    another change: whoever writes it down again may not see it.
    """
    trailing = [(true, said) for true, said in texts if true != true.rstrip(_WHITE)]
    return bool(trailing) and all(_gains(said, true) for true, said in trailing)


def _is_slip(true: str, said: str) -> bool:
    """Whether the answer's line is the file's, with bytes lost, accents set apart, or the dashes
    of a heading or a table made long.
    """
    if (is_decomposed(said) and not is_decomposed(true)) or (is_rule(said) and not is_rule(true)):
        return True
    odd = any("\udc80" <= char <= "\udcff" for char in true)
    return odd and true.rstrip(_WHITE) != said.rstrip(_WHITE)


def _looks(true: str, said: str) -> bool:
    return true.rstrip(_WHITE) != said.rstrip(_WHITE)


def _is_throughout(texts: Sequence[tuple[str, str]], view: View, evidence: Evidence) -> bool:
    """Whether lines that else are the file's stray from it in a way of writing, not by a change:
    what they lose is nowhere left. In code it is enough that what they gain is new to the file;
    in prose people do that too, and several lines must show it.
    """
    found = _Strays.of(texts)
    if not found.count or found.left:
        return False
    code = not view.prose
    least = 1 if evidence.plain or evidence.lost else _STRAYS
    new = not found.gained & view.characters
    return (code and new) or (found.count >= least and not found.mixed)


@dataclass(frozen=True)
class _Strays:
    """What lines of the answer have of other characters than the same lines of the file."""

    count: int
    fancy: int  # how many of them become typographic
    gained: set[str]
    lost: set[str]
    left: bool  # some of the lost characters stand in other lines of the answer
    mixed: bool  # some lines have kept what others have written otherwise

    @classmethod
    def of(cls, texts: Sequence[tuple[str, str]]) -> _Strays:
        strays = [(true, said) for true, said in texts if _looks(true, said)]
        kept = [true for true, said in texts if not _looks(true, said)]
        gained = set().union(*(gained_looks(*pair) for pair in strays))
        lost = {char for true, said in strays for char, _ in gained_looks(said, true)}
        forms = {form for _, form in gained}
        forms |= {char for kind in _KINDS if forms & kind for char in kind}
        return cls(
            len(strays),
            sum(bool(gained_looks(*pair)) for pair in strays),
            {char for char, _ in gained},
            lost,
            any(char in said for char in lost for _, said in texts),
            any(form in true for form in forms for true in kept),
        )


def _hides(true: str, said: str, view: View) -> bool:
    """Whether the answer's line has characters that cannot be seen and that the file has not."""
    foreign = {char for char in set(said) - set(true) - view.characters if ord(char) in LOOKS}
    return bool(foreign) and not any(LOOKS[ord(char)].strip() for char in foreign)


def _check_strays(texts: Sequence[tuple[str, str]], view: View, path: str) -> None:
    """Raise if characters of the file are written otherwise beside another change, and none of
    them is left, or with characters new to it: a slip as likely as a part of the change.
    """
    found = _Strays.of(texts)
    foreign = found.gained - view.characters
    if (
        foreign
        or (found.lost and not found.left)
        or (found.gained and not found.mixed)
        or found.fancy >= _MANY
    ):
        raise EditRefused(
            f"{path}: {min(found.gained | found.lost)!r} is written otherwise in the answer; "
            "whether it is meant to change is not clear",
            next_step="copy the lines that do not change letter by letter, or use edits",
        )
