"""Whole files in fences, named by a line above or in the info string."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from aifactory.edits.blocks import Write
from aifactory.edits.formats.fences import (
    Fence,
    begins_name,
    fence,
    is_name,
    path_in_info,
    path_in_line,
)
from aifactory.edits.margins import outdented
from aifactory.edits.paths import tidy
from aifactory.errors import AnswerUnusable

_CHANGES = ("<<<<<<< SEARCH", "*** Begin Patch", "diff --git ", "--- a/", "@@ -")
_MOST_KINDS = 32  # of fences around files; more take too long to be told apart
_MARKDOWN = re.compile(r"\.(?:md|mdx|markdown|qmd|rmd|rst|txt|adoc)$", re.IGNORECASE)


class _Start(NamedTuple):
    """Where a file begins in the answer: its name's line, its fence's line."""

    first: int
    opener_at: int
    opener: Fence
    path: str


class _Text(NamedTuple):
    """The lines of an answer, its fences in order, and the last line that is not empty."""

    lines: list[str]
    fences: dict[int, Fence]
    order: list[int]
    last: int

    @classmethod
    def of(cls, answer: str) -> _Text:
        lines = answer.split("\n")
        fences = {at: found for at, line in enumerate(lines) if (found := fence(line))}
        last = max((at for at, line in enumerate(lines) if line.strip()), default=-1)
        return cls(lines, fences, list(fences), last)

    def fences_from(self, row: int) -> Iterator[int]:
        low = bisect_left(self.order, row)
        return (self.order[at] for at in range(low, len(self.order)))


def parse(answer: str) -> tuple[list[Write], list[str]]:
    """Every file that the answer gives in full, and the texts in fences that have no name;
    AnswerUnusable if a fence is open or unclear.
    """
    text = _Text.of(answer)
    writes: list[Write] = []
    unnamed: list[str] = []
    kinds: set[tuple[str, str, int]] = set()
    at = 0
    while start := _next_start(text, at, unnamed):
        kinds.add(start.opener[:3])
        _check_kinds(len(kinds))
        end = _end(text, start)
        body = outdented(text.lines[start.opener_at + 1 : end], start.opener.indent)
        _check_is_text(body, start)
        writes.append(
            Write(start.path, _joined(body), len(writes) + 1, explicit=False, exact_end=False)
        )
        at = end + 1
    _check_rest(text.lines, at, writes)
    return writes, unnamed


def _joined(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _check_kinds(count: int) -> None:
    if count > _MOST_KINDS:
        raise AnswerUnusable(
            f"the files have fences of more than {_MOST_KINDS} lengths and indentations",
            next_step="put the same fence around every file",
        )


def _check_is_text(body: list[str], start: _Start) -> None:
    """Raise if the block is not the text of the file but a change of it, in another format."""
    first = body[0] if body else ""
    if first.startswith(_CHANGES) and not start.path.endswith((".diff", ".patch")):
        raise AnswerUnusable(
            f"{start.path}: the fence holds a change ({first[:40]!r}), not the full text",
            next_step="give the full text of the file",
        )


def first_block(answer: str) -> tuple[int, int] | None:
    """The rows of the fences around the first file of the answer, None if there is none."""
    text = _Text.of(answer)
    start = _next_start(text, 0, [])
    try:
        return (start.opener_at, _end(text, start)) if start else None
    except AnswerUnusable:
        return None


def _next_start(text: _Text, at: int, unnamed: list[str]) -> _Start | None:
    """The next fence that has a name; the texts in those before it go to `unnamed`."""
    closing: Fence | None = None
    first = at
    for place in text.fences_from(at):
        found = text.fences[place]
        named = _named(text, place, at)
        if named and (closing is None or not found.bare):
            return named
        if closing is None and place < text.last and not _wraps(text, place):
            closing, first = found, place + 1
        elif closing is not None and found.closes(closing):
            closing = None
            unnamed.append(_joined(text.lines[first:place]))
    return None


def _named(text: _Text, place: int, after: int) -> _Start | None:
    found = text.fences[place]
    if path := path_in_info(found.info):
        return _Start(place, place, found, tidy(path))
    above = place - 1
    while above >= after and not text.lines[above].strip() and above > place - 3:
        above -= 1
    if above < after or above in text.fences:
        return None
    path = path_in_line(text.lines[above])
    return _Start(above, place, found, tidy(path)) if path else None


def _wraps(text: _Text, place: int) -> bool:
    """Whether the fence at `place` is around the whole answer: a named fence follows at once."""
    rows = range(place + 1, min(place + 5, len(text.lines)))
    below = [at for at in rows if text.lines[at].strip()][:2]
    if below and below[0] in text.fences:
        return path_in_info(text.fences[below[0]].info) is not None
    if len(below) < 2 or below[1] not in text.fences:
        return False
    return path_in_line(text.lines[below[0]]) is not None


def _end(text: _Text, start: _Start) -> int:
    """The line that closes the block, if it can be one only."""
    depth = 0
    rows = text.fences_from(start.opener_at + 1)
    rivals = (at for at in rows if text.fences[at].rivals(start.opener))
    for at in rivals:
        if not text.fences[at].bare:
            depth += 1
        elif depth:
            depth -= 1
        else:
            _check_gap(text, next(rivals, None), at, start)
            return at
    raise AnswerUnusable(
        f"{start.path}: its code fence is never closed, the answer seems cut off",
        next_step="give the whole answer again; use a fence longer than any in the file",
    )


def _check_gap(text: _Text, following: int | None, end: int, start: _Start) -> None:
    """Raise if another line could close the block as well: the next fence must be an opening."""
    if following is None or not text.fences[following].bare:
        return
    other = _named(text, following, end + 1)
    clear = other is not None and ("." in other.path or "/" in other.path or is_name(other.path))
    if clear or following == text.last or (other and not _MARKDOWN.search(start.path)):
        return
    raise AnswerUnusable(
        f"{start.path}: the file holds code fences as long as the one around it, "
        "so its end is not clear",
        next_step="use a fence longer than any in the file",
    )


def _check_rest(lines: list[str], at: int, writes: list[Write]) -> None:
    last = next((line for line in reversed(lines[at:]) if line.strip()), "")
    if writes and begins_name(last, ended=not lines[-1]):
        raise AnswerUnusable(
            f"{last.strip()[:80]!r} at the end of the answer seems to name a file, but its text "
            "is missing",
            next_step="give the whole answer again",
        )
