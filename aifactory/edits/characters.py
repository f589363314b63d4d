"""Characters that an answer writes otherwise than the file: learned, undone, or refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from aifactory.edits.blocks import Line
from aifactory.edits.evidence import Evidence
from aifactory.edits.likeness import LOOKS, gained_looks, is_decomposed
from aifactory.edits.text import FileLine
from aifactory.edits.view import View
from aifactory.errors import EditRefused

_QUOTES = frozenset("'\"")
_HIGH = re.compile("[\u0080-\u00ff]")
_RULE = re.compile(r"[\s|:-]*\u2014[-\u2014][\s|:\u2014-]*")  # headings, tables: of plain dashes
_ODD = re.compile("[\udc80-\udcff]")


def learn_all(told: Sequence[tuple[Line, FileLine]], evidence: Evidence) -> None:
    """Note the characters that the answer has where the file has plain ones, and nowhere else."""
    for line, true in told:
        learn(true.text, line.text, evidence)
        evidence.latin |= bool(_ODD.search(true.text)) and bool(_HIGH.search(line.text))


def learn(true: str, said: str, evidence: Evidence) -> None:
    """Note in which characters the answer strays from a line of the file."""
    for char, form in gained_looks(true, said):
        evidence.learn(char, form.strip() or form)
    evidence.lost |= gained_looks(said, true)
    evidence.composed |= is_decomposed(said) and not is_decomposed(true)


def holds_odd_bytes(text: str) -> bool:
    """Whether the text has bytes that are not UTF-8, as `decode` writes them."""
    return _ODD.search(text) is not None


def check_lost(text: str, view: View, label: str, evidence: Evidence) -> None:
    """Raise EditRefused if a new line may hold a character of the file that other lines lost."""
    for char, form in sorted(evidence.lost):
        if form in text and char not in text and char in view.characters:
            raise EditRefused(
                f"{label} adds {form!r}: whether {char!r} is meant is not clear, "
                "since other lines have the one for the other",
                next_step=f"write {char!r} where the file has it",
            )


def in_characters(text: str, evidence: Evidence, view: View, label: str) -> str:
    """Text to be added in the characters of the file. Raises EditRefused if they are not clear."""
    if text.isascii():
        return text
    if evidence.plain:
        text = _plain(text, evidence, view, label)
    if evidence.composed:
        text = unicodedata.normalize("NFC", text)
    check_rule(text, label)
    if "\ufffd" in text and view.holds_odd_bytes and not view.holds("\ufffd"):
        raise EditRefused(
            f"{label} adds a replacement character (U+FFFD), which stands for a byte of the file "
            "that is no UTF-8",
            next_step="leave the lines that have it as they are",
        )
    return in_latin(text, evidence, view, label) if view.holds_odd_bytes else text


def is_rule(text: str) -> bool:
    """Whether a line consists of long dashes, as headings and tables do of plain ones."""
    return _RULE.fullmatch(text) is not None


def check_rule(text: str, label: str) -> None:
    """Raise EditRefused if a line to be added consists of long dashes."""
    if is_rule(text):
        raise EditRefused(f"{label} adds a line of long dashes", next_step="write plain dashes")


def _plain(text: str, evidence: Evidence, view: View, label: str) -> str:
    """The text with plain characters for those that are known to stand for them."""
    quotes = bool(_QUOTES & set(evidence.plain.values()))
    known: dict[int, str] = {}
    for char in {char for char in text if char > "\x7f"}:
        slip = ord(char) in evidence.plain
        plain = evidence.plain[ord(char)] if slip else LOOKS.get(ord(char))
        both = bool(plain and plain.strip() and plain in text)
        if not slip and (plain is None or both):
            continue
        unclear = plain is None or view.holds(char) or (both and plain in _QUOTES)
        unclear |= view.prose and bool(plain and plain.strip())
        if unclear if slip else (quotes and plain in _QUOTES):
            raise EditRefused(
                f"{label} adds {char!r}: whether {LOOKS[ord(char)]!r} is meant is not clear",
                next_step="write plain quotes and dashes where the file has them",
            )
        known |= {ord(char): plain} if slip and plain is not None else {}
    return text.translate(known)


def in_latin(text: str, evidence: Evidence, view: View, label: str) -> str:
    """Letters as the single bytes that a file has that is not in UTF-8."""
    if not _HIGH.search(text) or evidence.exact_bytes or view.holds_letters:
        return text
    if not evidence.latin:
        raise EditRefused(f"{label} adds letters to a file that is not in UTF-8")
    return _HIGH.sub(lambda match: chr(0xDC00 + ord(match[0])), text)
