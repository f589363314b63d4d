"""Lines of a whole-file answer that are the file's but for characters: slips, or a change."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from aifactory.edits import margins, typography
from aifactory.edits.evidence import Evidence
from aifactory.edits.likeness import LOOKS, is_decomposed, lost_looks, plain_form
from aifactory.edits.style import in_characters
from aifactory.edits.text import FileLine
from aifactory.edits.view import View
from aifactory.errors import EditRefused

_GAINED = 3  # lines that must gain white space at their end for it to be a slip
_STRAYS = 2  # lines that must stray in the same way to show a way of writing
_MANY = 3  # lines that become typographic beside another change: hardly a part of it
_WHITE = " \t\r"
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
    gained = {b: before[a].text for a, b in strays if _gains(before[a].text, after[b].text)}
    true = {b: before[a].text for a, b in strays if _is_slip(before[a].text, after[b].text)}
    trimmed = len(gained) >= _GAINED or (bool(gained) and evidence.trails)
    telling = any(text.strip() for text in gained.values())
    if telling and not trimmed and len(pairs) < max(len(before), len(after)):
        raise margins.uneven(f"{path}: the answer")
    evidence.trails |= trimmed
    true |= gained if trimmed else {}
    evidence.composed |= any(is_decomposed(after[b].text) for b in true)
    least = 1 if evidence.plain or evidence.lost else _STRAYS
    texts = [(before[a].text, after[b].text) for a, b in pairs]
    if _is_throughout(texts, least):
        true |= {b: before[a].text for a, b in strays if _looks(before[a].text, after[b].text)}
        _learn([(before[a].text, after[b].text) for a, b in strays], evidence)
    elif len(pairs) < max(len(before), len(after)):
        unseen = {
            b: before[a].text for a, b in strays if _hides(before[a].text, after[b].text, view)
        }
        _learn([(text, after[b].text) for b, text in unseen.items()], evidence)
        _check_strays([(a, b) for a, b in texts if not _hides(a, b, view)], view, path)
        true |= unseen
    same = {b for _, b in pairs}
    suffix = margins.gained(texts)
    fresh = [line.text for at, line in enumerate(after) if at not in same]
    typography.check(fresh, view, path, path, evidence)
    result = []
    for at, line in enumerate(after):
        text = true.get(at, line.text)
        if at not in same:
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


def _is_slip(true: str, said: str) -> bool:
    """Whether the answer's line is the file's, with bytes lost or accents set apart."""
    if is_decomposed(said) and not is_decomposed(true):
        return True
    odd = any("\udc80" <= char <= "\udcff" for char in true)
    return odd and true.rstrip(_WHITE) != said.rstrip(_WHITE)


def _looks(true: str, said: str) -> bool:
    return true.rstrip(_WHITE) != said.rstrip(_WHITE)


def _is_throughout(texts: Sequence[tuple[str, str]], least: int) -> bool:
    """Whether no line kept any of the characters that others lost, nor any of their kind: a way
    of writing, not a change.
    """
    lost: set[str] = set()
    count = 0
    for true, said in texts:
        if _looks(true, said):
            lost |= _marks(true) - _marks(said)
            count += 1
    kinds = lost | {char for kind in _KINDS if lost & kind for char in kind}
    return (
        count >= least
        and bool(lost)
        and not any(kinds & _marks(true) for true, said in texts if not _looks(true, said))
    )


def _hides(true: str, said: str, view: View) -> bool:
    """Whether the answer's line has characters that cannot be seen and that the file has not."""
    foreign = _foreign(true, said, view)
    return bool(foreign) and not any(LOOKS[ord(char)].strip() for char in foreign)


def _foreign(true: str, said: str, view: View) -> set[str]:
    if said.isascii():
        return set()
    return {char for char in _fancy(true, said) if not view.holds(char)}


def _check_strays(texts: Sequence[tuple[str, str]], view: View, path: str) -> None:
    """Raise if characters of the file are written otherwise beside another change, and none of
    them is left, or with characters new to it: a slip as likely as a part of the change.
    """
    strays = [(true, said) for true, said in texts if _looks(true, said)]
    gone = set().union(*(_marks(true) - _marks(said) for true, said in strays))
    left = set().union(*(_marks(true) for true, said in texts if not _looks(true, said)))
    foreign = set().union(*(_foreign(true, said, view) for true, said in strays))
    fancy = [_fancy(true, said) for true, said in strays]
    many = sum(map(bool, fancy)) >= _MANY
    if foreign or (gone and not gone & left) or many:
        char = min(gone or foreign or set().union(*fancy))
        raise EditRefused(
            f"{path}: {char!r} is written otherwise in the answer; whether it is "
            "meant to change is not clear",
            next_step="copy the lines that do not change letter by letter, or use edits",
        )


def _fancy(true: str, said: str) -> set[str]:
    """The typographic characters that the answer's line has and the file's has not."""
    return {char for char in set(said) - set(true) if ord(char) in LOOKS}


def _marks(text: str) -> set[str]:
    """The characters of a line that have look-alikes, or are look-alikes, or have accents."""
    return {
        char
        for char in text
        if ord(char) in LOOKS or char in _PLAIN or (char > "\x7f" and _accented(char))
    }


_PLAIN = frozenset("".join(LOOKS.values())) - {" ", "."}
_KINDS = (frozenset("'\""), frozenset("\u2018\u2019\u201c\u201d"))


def _accented(char: str) -> bool:
    return unicodedata.normalize("NFD", char) != char


def _learn(texts: Sequence[tuple[str, str]], evidence: Evidence) -> None:
    for true, said in texts:
        for char in set(said) - set(true):
            evidence.learn(char, plain_form(char, true, said))
        evidence.lost |= lost_looks(true, said)
        evidence.composed |= is_decomposed(said) and not is_decomposed(true)
