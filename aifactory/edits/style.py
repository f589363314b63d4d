"""How an answer writes what the file writes otherwise, learned from the lines that were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aifactory.edits import margins
from aifactory.edits.blocks import Block, Line
from aifactory.edits.characters import check_lost, holds_odd_bytes, in_characters, learn_all
from aifactory.edits.escapes import has_entity
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
from aifactory.edits.likeness import Level, bare, folded_indent, indent
from aifactory.edits.match import Place
from aifactory.edits.text import FileLine
from aifactory.edits.view import View
from aifactory.errors import EditRefused

_WHITE = " \t\r"
_WIDE = 4  # spaces that an answer which turns spaces into tabs does not leave as they are
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
    _check(block, place, told, view, path)
    if place.level >= Level.LOOK:
        learn_all(told, evidence)
    trimmed = any(_trails(bare(line.text)) and not _trails(true.text) for line, true in pairs)
    _learn(block, pairs, told, evidence)
    evidence.trails |= trimmed
    return Style(
        shift=_shift(block, told, view, evidence) if place.level >= Level.INDENT else SAME,
        trimmed=trimmed,
        gained=margins.gained([(true.text, line.text) for line, true in pairs]),
        uneven=trimmed and any(_trails(line.text) for line in view.lines),
        faithful=_is_faithful(pairs, view, evidence),
        known={line.text: true.text for line, true in pairs if line.mark == "-"},
        unclear=_unclear(told),
        depths=frozenset(indent(line.text) for line, _ in told),
        spaced=not any(line.text.startswith("\t") for line in block.lines),
        evidence=evidence,
    )


def _check(block: Block, place: Place, told: _Told, view: View, path: str) -> None:
    """Raise EditRefused if the lines that were found differ from the file's in a way that those to
    be added may share.
    """
    label = f"{path}: edit {block.number}"
    if place.level >= Level.LOOK and _is_idle(block):
        raise EditRefused(
            f"{label} removes and adds the same line, and its characters are not those of the file",
            next_step="copy the lines from the file, letter by letter",
        )
    if place.level is not Level.DRIFT:
        return
    if any(_is_squeezed(line.text, true.text) for line, true in told):
        raise EditRefused(
            f"{label} has less white space inside of lines than the file",
            next_step="copy the lines from the file, letter by letter",
        )
    if any(has_entity(line.text) for line in block.old) and not view.has_entities:
        raise EditRefused(
            f"{label} writes signs of the file as entities of HTML",
            next_step="write `<`, `>` and `&` as the file does",
        )


def _learn(block: Block, pairs: _Told, told: _Told, evidence: Evidence) -> None:
    """Note what the lines that were found show of all that the answer writes."""
    kept = {kind_of(indent(a.text)) for a, b in told if indent(a.text) == indent(b.text)}
    evidence.kept |= kept - {""}
    evidence.exact_bytes |= any(holds_odd_bytes(line.text) for line in block.lines)
    evidence.returns |= any(_returns(line) and true.end == "\n" for line, true in pairs)
    evidence.feeds |= any(not _returns(line) and true.end == "\r\n" for line, true in told)


def _returns(line: Line) -> bool:
    return line.text.endswith("\r")


def _is_faithful(pairs: _Told, view: View, evidence: Evidence) -> bool:
    """Whether the answer has the file's line ends in every line that was found, and one was; or the
    file has none.
    """
    ended = [(line, true) for line, true in pairs if true.end]
    if evidence.returns and "\r\n" not in view.ends:
        return False
    same = all(_returns(line) == (true.end == "\r\n") for line, true in ended)
    return same and bool(ended or not view.ends)


def kind_of(white: str) -> str:
    """What indentation shows of whoever writes it: a tab, two spaces, or nothing if it is short."""
    return "\t" if "\t" in white else "  " if len(white) >= _WIDE else ""


def _unclear(told: _Told) -> frozenset[str]:
    first: dict[str, str] = {}
    return frozenset(a.text for a, b in told if first.setdefault(a.text, b.text) != b.text)


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


def _check_depth(said: str, style: Style, view: View) -> None:
    """Raise NoShift if tabs and spaces of the answer are not the file's, and the file has several
    indentations, itself perhaps among them, that the answer would write so; or if the line is set
    to a column with spaces, of which some may be tabs.
    """
    shift = style.evidence.tabs if style.shift == SAME else style.shift
    if shift is None or not shift.size or not said or (view.needs_tabs and "\t" in said):
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


def _in_tabs(text: str, style: Style, view: View) -> str:
    """The line with the file's tabs or spaces, if no line of the block tells which it has."""
    said = indent(text)
    shift = style.evidence.tabs
    white = next((white for white in ("\t", "  ") if white in said), "")
    told = any(white in depth for depth in style.depths)
    other = "  " if white == "\t" else "\t"
    if not white or not text.strip(_WHITE) or other in style.evidence.kept:
        return text
    if white == "\t" and view.needs_tabs:
        return text
    if style.spaced and said not in style.depths and view.writes_otherwise(said):
        raise NoShift
    if told or not view.is_foreign(white):
        return text
    true = shifted(said, shift) if shift else None
    if true is None:
        raise NoShift
    return true + text[len(said) :]
