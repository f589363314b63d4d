"""One hunk of a unified diff: where it ends, whatever its header counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aifactory.edits.blocks import Block, Line, Mark
from aifactory.edits.formats.fences import Fence, fence
from aifactory.errors import AnswerUnusable

HUNK = re.compile(
    r"@@+ *(?:-(\d{1,9})(?:,(\d{1,9}))? +\+(\d{1,9})(?:,(\d{1,9}))? *@@+ ?(.*)"
    r"|(?:[-+.,\d\s]*@@+)? ?(.*))$"
)
_MARKS: dict[str, Mark] = {" ": " ", "-": "-", "+": "+"}
_LOST = 3  # lines that a header may count too many before the hunk is taken for cut off


@dataclass
class _Left:
    """How many old and new lines the header still promises."""

    old: int
    new: int
    known: bool

    def take(self, mark: Mark) -> None:
        self.old -= mark != "+"
        self.new -= mark != "-"

    @property
    def done(self) -> bool:
        return self.known and self.old <= 0 and self.new <= 0

    @property
    def exact(self) -> bool:
        return self.known and self.old == 0 and self.new == 0

    @property
    def short(self) -> bool:
        return self.known and (self.old > 0 or self.new > 0)


def begins_part(line: str) -> bool:
    """Whether the last line of an answer may be the beginning of a hunk or of another file."""
    return any(part.startswith(line) for part in ("diff --git ", "@@ -", "--- "))


def is_headless(lines: list[str], at: int) -> bool:
    """Whether the lines of a hunk begin at row `at`, just behind the names of the file."""
    return lines[at - 1].startswith("+++ ") and lines[at][:1] in _MARKS


def read_hunk(
    lines: list[str], at: int, number: int, last: int, opener: Fence | None, counts: bool
) -> tuple[Block, int]:
    """The hunk whose header, or first line if it has none, is at row `at`, and the row behind it.
    `opener` is the fence around it; `counts`: no header of the answer before has counted wrongly.
    """
    header = HUNK.match(lines[at].rstrip("\r"))
    start, old, new_start, new, heading, anchor = header.groups() if header else (None,) * 6
    left = _Left(int(old or 1), int(new or 1), start is not None)
    first = at + 1 if header else at
    end = _region_end(lines, first, left, opener)
    body, left, behind = _body(lines, first, end, left)
    if not body:
        raise AnswerUnusable(
            f"hunk {number} is empty, the answer seems cut off", next_step="give the diff again"
        )
    if all(line.mark == " " for line in body):
        raise AnswerUnusable(
            f"hunk {number} neither removes nor adds a line", next_step="give the diff again"
        )
    if left.short and body[-1].mark != " ":
        raise _cut_off(left, number)
    if opener is None and behind > last:
        _check_complete(body, left, number, lines, counts)
    block = Block(
        number,
        tuple(body),
        anchors=(anchor.strip(),) if anchor and anchor.strip() else (),
        heading=(heading or "").strip(),
        start=int(start) if start else None,
        delta=int(new_start or 0) - int(start) if start else 0,
        exact_counts=left.exact,
        says_newline=any(not line.ended for line in body),
    )
    return block, end


def _region_end(lines: list[str], at: int, left: _Left, opener: Fence | None) -> int:
    """The row behind the last line that can belong to the hunk."""
    counts = _Left(left.old, left.new, left.known)
    row = at
    while row < len(lines):
        line = lines[row]
        if _begins_other(lines, row, counts, opener):
            break
        if counts.done and (not _marked(line) or line.rstrip() == "--"):
            break
        if line[:1] != "\\":
            counts.take(_MARKS.get(line[:1], " "))
        row += 1
    return row


def _begins_other(lines: list[str], row: int, counts: _Left, opener: Fence | None) -> bool:
    line = lines[row]
    if line.startswith(("diff --git ", "@@")):
        return True
    if found := fence(line) if line[:1] in ("`", "~") else None:
        return found.closes(opener) if opener else not counts.short
    names = line.startswith("--- ") and lines[row + 1 : row + 2] != []
    if not (names and lines[row + 1].startswith("+++ ")):
        return False
    return not counts.short or lines[row + 2 : row + 3] == [] or lines[row + 2].startswith("@@")


def _marked(line: str) -> bool:
    return line[:1] in _MARKS or line.startswith("\\")


def _body(lines: list[str], at: int, end: int, left: _Left) -> tuple[list[Line], _Left, int]:
    """The lines of the hunk, without prose behind it, what its header promised besides, and the
    row behind them. Lines that lost their mark are kept ones.
    """
    last = end
    while last > at and not _marked(lines[last - 1]):
        last -= 1
    body: list[Line] = []
    left = _Left(left.old, left.new, left.known)
    for line in lines[at:last]:
        if line.startswith("\\"):
            if body:
                body[-1] = Line(body[-1].mark, body[-1].text, ended=False)
            continue
        mark = _MARKS.get(line[:1])
        body.append(Line(mark or " ", line[1:] if mark else line))
        left.take(mark or " ")
    end = min(end, len(lines) - 1)
    while last < end and left.old > 0 and left.new > 0 and not lines[last].strip("\r"):
        body.append(Line(" ", lines[last]))
        left.take(" ")
        last += 1
    return body, left, last


def _check_complete(
    body: list[Line], left: _Left, number: int, lines: list[str], counts: bool
) -> None:
    """Raise if the last hunk of the answer is shorter than its header says, and may be cut off.

    A wrong count is likely only if the hunk ends as hunks do, with three kept lines, and others
    are wrong as well.
    """
    ended = lines[-1] == ""
    begins = not ended and left.old < 0 and begins_part(lines[-1])
    over = left.known and min(left.old, left.new) < 0
    if not begins and (over or (not left.short and (body[-1].mark != "+" or ended))):
        return
    tail = [line.mark for line in body[-3:]]
    complete = tail == [" ", " ", " "] and ended
    if complete and not counts and max(left.old, left.new) <= _LOST:
        return
    raise _cut_off(left, number)


def _cut_off(left: _Left, number: int) -> AnswerUnusable:
    return AnswerUnusable(
        f"hunk {number} seems cut off: {max(left.old, 0)} old and {max(left.new, 0)} new lines "
        "of its header are missing, or its last line has no end",
        next_step="give the whole diff again, with right counts in `@@ -a,b +c,d @@`",
    )
