"""How far two lines may differ and still be the same line: the levels of tolerance."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from enum import IntEnum
from heapq import nlargest

from aifactory.edits.effort import spend
from aifactory.edits.text import BOM


class Level(IntEnum):
    """From strict to tolerant. The first level at which a block is found decides."""

    EXACT = 0  # the text; line ends aside
    SPACE = 1  # and white space at the end of lines
    INDENT = 2  # and white space at their start
    LOOK = 3  # and characters that look alike
    DASH = 4  # and two dashes for a long one
    BYTES = 5  # and bytes that are no UTF-8
    DRIFT = 6  # and some of the kept lines


_LOOKS = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u2032": "'", "\u02bc": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"', "\u2033": '"',
    "\u00ab": '"', "\u00bb": '"',
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2015": "-",
    "\u2212": "-", "\ufe63": "-", "\uff0d": "-",
    "\u2026": "...", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200a": " ", "\u2002": " ",
    "\u2003": " ", "\u2004": " ", "\u2005": " ", "\u2006": " ", "\u2007": " ", "\u2008": " ",
    "\u205f": " ", "\u3000": " ", "\u200b": "", "\u200c": "", "\u200d": "", "\u2060": "",
    "\ufeff": "", "\u00ad": "",
}  # fmt: skip
LOOKS = str.maketrans(
    _LOOKS | {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if code != 0xFF0D}
)
"""Characters that models write in place of plain ones, and the plain ones."""
_LATIN = str.maketrans({chr(0xDC00 + byte): chr(byte) for byte in range(0x80, 0x100)})
_ODD = re.compile("[\udc80-\udcff\ufffd]+")
_WHITE = " \t\r"
_COMPARED = 100_000  # pairs of equal letters after which no more texts are compared with one
_POPULAR = 200  # letters of a text from which on `difflib` leaves frequent ones aside
_STEPS_A_PAIR = 8  # of equal letters, on the way to all that two texts have in common
_BESIDE = 2  # letters around a dash that tell where it stands in the other line


def bare(text: str) -> str:
    """A line without the carriage return of its line end."""
    return text[:-1] if text.endswith("\r") else text


def fold(text: str) -> str:
    """The text in plain characters, composed."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.translate(_LATIN).translate(LOOKS))


def with_two_dashes(text: str) -> str:
    """The text with two plain dashes for each long one."""
    return text.replace("\u2014", "--")


def fold_bytes(text: str) -> str:
    """The text in plain characters; bytes that were no UTF-8 become one mark."""
    return fold(_ODD.sub("\ufffd", text))


def _strip_end(text: str) -> str:
    return text.removeprefix(BOM).rstrip(_WHITE)


def _strip(text: str) -> str:
    return text.removeprefix(BOM).strip(_WHITE)


def _look(text: str) -> str:
    return fold(text).strip(_WHITE)


def _dash(text: str) -> str:
    return _look(with_two_dashes(text))


def _bytes(text: str) -> str:
    return fold_bytes(text).strip(_WHITE)


KEYS: dict[Level, Callable[[str], str]] = {
    Level.EXACT: bare,
    Level.SPACE: _strip_end,
    Level.INDENT: _strip,
    Level.LOOK: _look,
    Level.DASH: _dash,
    Level.BYTES: _bytes,
    Level.DRIFT: _look,
}
"""At each level, lines with the same key are the same line."""


def indent(text: str) -> str:
    return text[: len(text) - len(text.lstrip(" \t"))]


def is_decomposed(text: str) -> bool:
    """Whether letters and marks stand apart that could be one character."""
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return False
    return len(unicodedata.normalize("NFC", text)) < len(text)


def folded_indent(text: str) -> str:
    """The indentation, with spaces that only look like one made plain."""
    return indent(text if text.isascii() else text.translate(LOOKS))


def plain_form(char: str, true: str, said: str) -> str | None:
    """What `char` of an answer's line stands for in the file's line `true`, None if that is not
    known. A dash may stand for several, as in `--option`.
    """
    plain = LOOKS.get(ord(char))
    if plain is None or plain not in true:
        return None
    if plain != "-":
        return plain
    at = said.index(char)
    before, after = said[max(0, at - _BESIDE) : at], said[at + 1 : at + 1 + _BESIDE]
    forms = (count * plain for count in (3, 2, 1))
    return next((form for form in forms if before + form + after in true), None)


def gained_looks(true: str, said: str) -> set[tuple[str, str]]:
    """The characters that only `said` has, and the plain forms that `true` has for them: that of
    a dash between spaces with these.
    """
    if said.isascii():
        return set()
    found = {(char, plain_form(char, true, said)) for char in set(said) - set(true)}
    return {(char, _spaced(char, form, said)) for char, form in found if form is not None}


def _spaced(char: str, form: str, said: str) -> str:
    return f" {form} " if form == "-" and f" {char} " in said else form


def telling(text: str) -> bool:
    """Whether a line says anything: it holds a letter or a digit."""
    return any(char.isalnum() for char in text)


def is_similar(first: str, second: str, least: float) -> bool:
    """Whether the texts have a part of their letters, at `least`, in common and in order."""
    matcher = SequenceMatcher(None, first, second)
    if matcher.quick_ratio() < least:
        return False
    spend(_STEPS_A_PAIR * _equal_pairs(first, second))
    return matcher.ratio() >= least


def _equal_pairs(first: str, second: str) -> int:
    """Pairs of equal letters that `difflib` looks at, at most, to find one run in common."""
    there = Counter(second)
    most = len(second) if len(second) < _POPULAR else len(second) // 100 + 1
    here = Counter(first).items()
    return sum(count * there[char] for char, count in here if there[char] <= most)


def closest(wanted: str, known: Iterable[str], count: int, least: float) -> list[str]:
    """The texts most like another, as `difflib.get_close_matches` has them; those with the same
    letters first, and no more than can be compared quickly.
    """
    matcher = SequenceMatcher(None, "", wanted)
    promising: list[tuple[float, str]] = []
    for text in dict.fromkeys(known):
        matcher.set_seq1(text)
        if matcher.real_quick_ratio() >= least and matcher.quick_ratio() >= least:
            promising.append((matcher.quick_ratio(), text))
    found: list[tuple[float, str]] = []
    left = _COMPARED
    for most, text in sorted(promising, reverse=True):
        if left < 0 or (len(found) >= count and most < min(found)[0]):
            break
        left -= _equal_pairs(text, wanted)
        matcher.set_seq1(text)
        if (ratio := matcher.ratio()) >= least:
            found = nlargest(count, [*found, (ratio, text)])
    return [text for _, text in found]
