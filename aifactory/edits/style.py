"""How an answer writes what the file writes otherwise, learned from the lines that were found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from aifactory.edits import margins
from aifactory.edits.blocks import Block, Line
from aifactory.edits.evidence import Evidence
from aifactory.edits.indentation import (
    SAME,
    NoShift,
    Pair,
    Shift,
    reindented,
    shift_of,
    shifted,
    unshifted,
)
from aifactory.edits.likeness import (
    LOOKS,
    Level,
    bare,
    folded_indent,
    gained_looks,
    indent,
    is_decomposed,
)
from aifactory.edits.match import Place
from aifactory.edits.text import FileLine
from aifactory.edits.view import View
from aifactory.errors import EditRefused

_WHITE = " \t\r"
_WIDE = 4  # spaces that an answer which turns spaces into tabs does not leave as they are
_QUOTES = frozenset("'\"")
_HIGH = re.compile("[\u0080-\u00ff]")
_RULE = re.compile(r"[\s|:-]*\u2014[-\u2014][\s|:\u2014-]*")  # headings, tables: of plain dashes
_ODD = re.compile("[\udc80-\udcff]")
_Told = Sequence[tuple[Line, FileLine]]


@dataclass(frozen=True)
class Style:
    """What the lines that were found say about those to be added."""

    shift: Shift
    trimmed: bool  # the answer has white space at the end of lines where the file has none
    gained: str  # the white space that every line of the answer has more than the file's
    uneven: bool  # the file has some elsewhere
    faithful: bool  # the answer has the file's line ends
    known: dict[str, str]  # removed lines as the answer has them, and as the file has them
    unclear: frozenset[str]  # lines of the answer that are two different ones in the file
    depths: frozenset[str]  # the indentations of the lines that were found
    spaced: bool  # no line of the block begins with a tab
    evidence: Evidence


def style_of(block: Block, place: Place, view: View, path: str, evidence: Evidence) -> Style:
    """The style of the block's added lines. Raises NoShift if its indentation is not clear, and
    EditRefused if its characters are not.
    """
    pairs = [
        (line, view.lines[row])
        for line, row in zip(block.old, place.rows, strict=True)
        if row is not None
    ]
    told = [(line, true) for line, true in pairs if line.text.strip(_WHITE)]
    if place.level >= Level.LOOK and _is_idle(block):
        raise EditRefused(
            f"{path}: edit {block.number} removes and adds the same line, and its characters are "
            "not those of the file",
            next_step="copy the lines from the file, letter by letter",
        )
    if place.level is Level.DRIFT and any(_is_squeezed(a.text, b.text) for a, b in told):
        raise EditRefused(
            f"{path}: edit {block.number} has less white space inside of lines than the file",
            next_step="copy the lines from the file, letter by letter",
        )
    if place.level >= Level.LOOK:
        _learn(told, evidence)
    evidence.kept |= {
        kind_of(indent(a.text)) for a, b in told if indent(a.text) == indent(b.text)
    } - {""}
    trimmed = any(_trails(bare(line.text)) and not _trails(true.text) for line, true in pairs)
    faithful = all(
        line.text.endswith("\r") == (true.end == "\r\n") for line, true in pairs if true.end
    )
    evidence.exact_bytes |= any(holds_odd_bytes(line.text) for line in block.lines)
    evidence.returns |= any(line.text.endswith("\r") and true.end == "\n" for line, true in pairs)
    evidence.feeds |= any(
        not line.text.endswith("\r") and true.end == "\r\n" for line, true in told
    )
    evidence.trails |= trimmed
    return Style(
        shift=_shift(block, told, view, evidence) if place.level >= Level.INDENT else SAME,
        trimmed=trimmed,
        gained=margins.gained([(true.text, line.text) for line, true in pairs]),
        uneven=trimmed and any(_trails(line.text) for line in view.lines),
        faithful=faithful and not (evidence.returns and "\r\n" not in view.ends),
        known={line.text: true.text for line, true in pairs if line.mark == "-"},
        unclear=_unclear(told),
        depths=frozenset(indent(line.text) for line, _ in told),
        spaced=not any(line.text.startswith("\t") for line in block.lines),
        evidence=evidence,
    )


def kind_of(white: str) -> str:
    """What indentation shows of whoever writes it: a tab, two spaces, or nothing if it is short."""
    return "\t" if "\t" in white else "  " if len(white) >= _WIDE else ""


def _unclear(told: _Told) -> frozenset[str]:
    first: dict[str, str] = {}
    return frozenset(a.text for a, b in told if first.setdefault(a.text, b.text) != b.text)


def holds_odd_bytes(text: str) -> bool:
    """Whether the text has bytes that are not UTF-8, as `decode` writes them."""
    return _ODD.search(text) is not None


def _is_idle(block: Block) -> bool:
    removed = {line.text for line in block.lines if line.mark == "-" and not line.text.isascii()}
    return any(line.mark == "+" and line.text in removed for line in block.lines)


def _is_squeezed(said: str, true: str) -> bool:
    """Whether the lines differ in the white space between their words: others may so as well."""
    return said.strip() != true.strip() and said.split() == true.split()


def _trails(text: str) -> bool:
    return text != text.rstrip(_WHITE)


def _shift(block: Block, told: _Told, view: View, evidence: Evidence) -> Shift:
    def witnesses(mark: str) -> list[Pair]:
        return [Pair(folded_indent(a.text), indent(b.text)) for a, b in told if a.mark == mark]

    known = {line.text for line in block.old if line.mark == "-"}
    added = [
        folded_indent(line.text)
        for line in block.lines
        if line.mark == "+" and line.text.strip(_WHITE) and line.text not in known
    ]
    shift = shift_of(witnesses("-"), witnesses(" "), added, view.depths)
    if shift.kind in ("tabs", "spaces"):
        evidence.tabs = shift
    return shift


def _learn(told: _Told, evidence: Evidence) -> None:
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


def text_in(style: Style, line: Line, view: View, label: str) -> str:
    """The text of an added line in the file's style. Raises EditRefused or NoShift."""
    if line.text in style.unclear:
        raise NoShift
    if line.text in style.known:
        return style.known[line.text]
    text = bare(line.text)
    check_lost(text, view, label, style.evidence)
    text = in_characters(text, style.evidence, view, label)
    if style.gained:
        text = text.removesuffix(style.gained)
    elif style.trimmed and _trails(text):
        if style.uneven or (style.shift == SAME and not text.strip(_WHITE)):
            raise margins.uneven(label)
        text = text.rstrip(_WHITE)
    _check_depth(indent(text), style, view)
    if style.shift != SAME:
        return reindented(text, style.shift)
    return _in_tabs(text, style, view)


def check_lost(text: str, view: View, label: str, evidence: Evidence) -> None:
    """Raise EditRefused if a new line may hold a character of the file that other lines lost."""
    for char, form in sorted(evidence.lost):
        if form in text and char not in text and char in view.characters:
            raise EditRefused(
                f"{label} adds {form!r}: whether {char!r} is meant is not clear, "
                "since other lines have the one for the other",
                next_step=f"write {char!r} where the file has it",
            )


def _check_depth(said: str, style: Style, view: View) -> None:
    """Raise NoShift if tabs and spaces of the answer are not the file's, and the file has several
    indentations, itself perhaps among them, that the answer would write so; or if the line is set
    to a column with spaces, of which some may be tabs.
    """
    shift = style.evidence.tabs if style.shift == SAME else style.shift
    if shift is None or not shift.size or not said:
        return
    spaces = {depth for depth in view.depths if "\t" not in depth and len(depth) >= shift.size}
    if spaces and "\t" in "".join(view.depths) and said not in style.depths:
        raise NoShift
    to_column = "\t" not in said and len(said) % shift.size
    if shift.kind == "tabs" and to_column and said not in style.depths:
        raise NoShift
    could = {depth for depth in view.depths if unshifted(depth, shift) == said}
    if said in view.depths and said not in style.depths:
        could.add(said)
    if len(could | {shifted(said, shift)}) > 1:
        raise NoShift


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


def _in_tabs(text: str, style: Style, view: View) -> str:
    """The line with the file's tabs or spaces, if no line of the block tells which it has."""
    said = indent(text)
    shift = style.evidence.tabs
    white = next((white for white in ("\t", "  ") if white in said), "")
    told = any(white in depth for depth in style.depths)
    other = "  " if white == "\t" else "\t"
    if not white or not text.strip(_WHITE) or other in style.evidence.kept:
        return text
    if style.spaced and said not in style.depths and view.writes_otherwise(said):
        raise NoShift
    if told or not view.is_foreign(white):
        return text
    true = shifted(said, shift) if shift else None
    if true is None:
        raise NoShift
    return true + text[len(said) :]
