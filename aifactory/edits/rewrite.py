"""What a block does to the rows of a file, its new lines in the style of the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from aifactory.edits.blocks import Block, Line
from aifactory.edits.elisions import check_added
from aifactory.edits.evidence import Evidence
from aifactory.edits.indentation import NoShift
from aifactory.edits.likeness import Level
from aifactory.edits.match import Place, is_open
from aifactory.edits.style import Style, style_of, text_in
from aifactory.edits.text import BOM, FileLine, end_between
from aifactory.edits.view import Splice, View
from aifactory.errors import EditRefused


@dataclass(frozen=True)
class _Run:
    """Removed and added lines that follow each other, and the rows where that happens."""

    low: int
    high: int
    added: tuple[Line, ...]


def splices(block: Block, place: Place, view: View, path: str, evidence: Evidence) -> list[Splice]:
    """What the block does to the rows of the file. Raises EditRefused if that is not clear."""
    if place.level is Level.DRIFT and is_open(block, place, view):
        raise EditRefused(
            f"{path}: edit {block.number} adds lines at its edge, and not all of its other lines "
            "are in the file",
            next_step="copy the lines above and below from the file as it is now",
        )
    check_added(block.lines, view.rows(Level.EXACT), f"{path}: edit {block.number}")
    try:
        style = style_of(block, place, view, path, evidence)
        return [_splice(run, style, block, view, path) for run in _runs(block, place, view, path)]
    except NoShift:
        raise EditRefused(
            f"{path}: edit {block.number}: its indentation differs from the file's "
            f"at line {_first(place) + 1}, in no uniform way",
            next_step="copy the lines from the file with their indentation",
        ) from None


def _first(place: Place) -> int:
    return next((row for row in place.rows if row is not None), 0)


def _runs(block: Block, place: Place, view: View, path: str) -> Iterator[_Run]:
    """What changes, between the lines that are around it both in the block and in the file."""
    if not block.old:
        yield _Run(len(view.lines), len(view.lines), block.lines)
        return
    rows = iter(place.rows)
    above: int | None = None
    removed: list[int] = []
    added: list[Line] = []
    for line in block.lines:
        if line.mark == "+":
            added.append(line)
            continue
        row = next(rows)
        if line.mark == "-":
            removed.append(row if row is not None else -1)
            continue
        if removed or added:
            yield _run(removed, added, (above, row), block, path)
        removed, added, above = [], [], row
    if removed or added:
        yield _run(removed, added, (above, None), block, path)


def _run(
    removed: list[int],
    added: list[Line],
    around: tuple[int | None, int | None],
    block: Block,
    path: str,
) -> _Run:
    above, below = around
    if removed:
        low, high = removed[0], removed[-1] + 1
    else:
        low = high = above + 1 if above is not None else below or 0
    apart = above not in (None, low - 1) or below not in (None, high)
    nowhere = not removed and around == (None, None)
    if nowhere or (apart and added and len(added) != len(removed)):
        raise EditRefused(
            f"{path}: edit {block.number}: lines around an added one are not where the answer has "
            "them",
            next_step="copy the lines above and below from the file as it is now",
        )
    return _Run(low, high, tuple(added))


def _splice(run: _Run, style: Style, block: Block, view: View, path: str) -> Splice:
    label = f"{path}: edit {block.number}"
    texts = [text_in(style, line, view, label) for line in run.added]
    ends = _ends(run, style, block, view, path)
    lines = [FileLine(text, end) for text, end in zip(texts, ends, strict=True)]
    if run.low == 0 and _loses_mark(block, view):
        run, lines = _behind_mark(run, lines, view)
    if not view.lines and lines and not run.added[-1].ended:
        lines[-1] = FileLine(lines[-1].text, "")
    if run.high < len(view.lines) or not view.lines:
        return Splice(run.low, run.high, tuple(lines))
    return _last(run, lines, block, view)


def _loses_mark(block: Block, view: View) -> bool:
    """Whether the file begins with a byte order mark of which the answer says nothing."""
    marked = bool(view.lines) and view.lines[0].text.startswith(BOM)
    return marked and not any(BOM in line.text for line in block.lines)


def _behind_mark(run: _Run, lines: list[FileLine], view: View) -> tuple[_Run, list[FileLine]]:
    """Lines that come first in a file with a byte order mark: the mark stays in front of them."""
    high = run.high
    if high < len(view.lines) and (high == 0 or not lines):
        lines = [*lines, view.lines[high]]
        high += 1
    bare = [FileLine(line.text.removeprefix(BOM), line.end) for line in lines]
    marked = [FileLine(BOM + line.text, line.end) for line in bare[:1]]
    return replace(run, high=high), [*marked, *bare[1:]]


def _ends(run: _Run, style: Style, block: Block, view: View, path: str) -> list[str]:
    """The line end of each added line: what the answer says if it is right elsewhere, or what
    the lines around have.
    """
    said = ["\r\n" if line.text.endswith("\r") else "\n" for line in run.added]
    kinds = view.ends
    if style.faithful and (block.old or not kinds):
        return said
    end = end_between(view.lines, run.low, run.high) if len(kinds) > 1 else next(iter(kinds), "\n")
    if end is None and run.added:
        raise EditRefused(
            f"{path}: edit {block.number}: line ends are mixed around line {run.low + 1}",
            next_step="give the lines with the line ends of the file, or the whole file",
        )
    return [end or "\n"] * len(run.added)


def _last(run: _Run, lines: list[FileLine], block: Block, view: View) -> Splice:
    """Lines that end the file: with a newline if the answer says so, else as the file has it."""
    low = run.low
    open_end = not view.lines[-1].end
    said = bool(run.added) and not run.added[-1].ended
    keeps = said or (open_end and not block.says_newline)
    if lines and open_end and run.low == len(view.lines):
        low -= 1
        lines = [FileLine(view.lines[-1].text, lines[0].end), *lines]
    if lines and keeps:
        lines[-1] = FileLine(lines[-1].text, "")
    return Splice(low, run.high, tuple(lines))
