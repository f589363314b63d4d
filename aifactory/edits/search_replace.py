"""SEARCH/REPLACE blocks under the name of their file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from aifactory.edits.blocks import Block, Line, Step, Update, Write
from aifactory.edits.diff import changes
from aifactory.edits.fences import fence, path_in_info, path_in_line
from aifactory.edits.likeness import indent
from aifactory.edits.margins import outdented
from aifactory.edits.paths import tidy
from aifactory.errors import AnswerUnusable

_SEARCH = re.compile(r"<{5,9} ?SEARCH>?[ \t\r]*")
_DIVIDER = re.compile(r"={5,9}[ \t\r]*")
_REPLACE = re.compile(r">{5,9} ?REPLACE[ \t\r]*")
_READINGS = 12  # ways to divide a block that are tried
_WORD = re.compile(r"\w+")
_EXACT_DIVIDER = "======="


@dataclass(frozen=True)
class Found:
    """One block as it stands in the answer, and the lines that may divide it."""

    path: str
    number: int
    body: tuple[str, ...]
    dividers: tuple[int, ...]


def parse(answer: str) -> list[Step]:
    """Every block of the answer; AnswerUnusable if one is cut off or has no file."""
    lines = answer.split("\n")
    return [_step(found) for found in _blocks(lines)]


def _blocks(lines: list[str]) -> Iterator[Found]:
    path: str | None = None
    at = number = after = 0
    fenced = False
    while at < len(lines):
        if not _SEARCH.fullmatch(lines[at].strip()):
            at += 1
            continue
        number += 1
        named, opened = _above(lines, after, at)
        fenced = opened or (fenced and not _closes(lines, after, at))
        path = named or path
        if path is None:
            raise AnswerUnusable(f"block {number} does not say which file it changes")
        end, dividers = _extent(lines, at, path, number)
        body = outdented(lines[at + 1 : end], indent(lines[at]))
        yield Found(path, number, tuple(body), dividers)
        at = after = end + 1
    _check_rest(lines, after, fenced, number)


def _above(lines: list[str], after: int, at: int) -> tuple[str | None, bool]:
    """The name that stands above a block, and whether a fence opens there."""
    opened = False
    for row in range(at - 1, max(after - 1, at - 6), -1):
        found = fence(lines[row])
        if found:
            if opened:
                return None, True
            opened = True
            if path := path_in_info(found.info):
                return tidy(path), True
        elif lines[row].strip():
            path = path_in_line(lines[row])
            return (tidy(path) if path else None), opened
    return None, opened


def _closes(lines: list[str], after: int, at: int) -> bool:
    return any(found.bare for line in lines[after:at] if (found := fence(line)))


def _extent(lines: list[str], at: int, path: str, number: int) -> tuple[int, tuple[int, ...]]:
    """The row of the REPLACE mark, and the rows in the body that may be the divider."""
    dividers: list[int] = []
    for row in range(at + 1, len(lines)):
        text = lines[row].strip()
        if _DIVIDER.fullmatch(text):
            dividers.append(row - at - 1)
        elif _REPLACE.fullmatch(text) and dividers:
            exact = [d for d in dividers if lines[at + 1 + d].rstrip() == _EXACT_DIVIDER]
            return row, tuple(exact or dividers)
        elif _SEARCH.fullmatch(text):
            break
    raise AnswerUnusable(
        f"{path}: block {number} has no end (`>>>>>>> REPLACE`), the answer seems cut off",
        next_step="give every block in full: SEARCH, =======, REPLACE",
    )


def _check_rest(lines: list[str], after: int, fenced: bool, number: int) -> None:
    rest = [line for line in lines[after:] if line.strip()]
    closed = any(found.bare for line in rest if (found := fence(line)))
    if number and fenced and not closed:
        raise AnswerUnusable(
            "the code fence around the last block is never closed, the answer seems cut off",
            next_step="give the whole answer again",
        )
    last = rest[-1].strip() if rest else ""
    path = path_in_line(last) if last else None
    word = _WORD.fullmatch(last) and lines[-1]  # what follows is prose, and that has an end
    cut = bool(word) or (path is not None and "/" in path and " " not in path)
    if number and (cut or last.startswith("<<<<") or _opens(rest)):
        raise AnswerUnusable(
            "the answer ends where another block begins, it seems cut off",
            next_step="give the whole answer again",
        )


def _opens(rest: list[str]) -> bool:
    found = fence(rest[-1]) if rest else None
    return found is not None and not found.bare


def _step(found: Found) -> Step:
    if len(found.dividers) > _READINGS:
        raise AnswerUnusable(
            f"{found.path}: block {found.number} has {len(found.dividers)} lines that look like "
            "its divider",
            next_step="choose lines to search for that do not look like the divider",
        )
    readings = tuple(_reading(found, divider) for divider in found.dividers)
    first = found.dividers[0]
    if len(readings) == 1 and not first:
        text = "".join(line + "\n" for line in found.body[first + 1 :])
        return Write(found.path, text, found.number, fresh=True, explicit=False, exact_end=False)
    block = replace(readings[0], others=readings[1:])
    return Update(found.path, (block,), in_order=True)


def _reading(found: Found, divider: int) -> Block:
    old, new = found.body[:divider], found.body[divider + 1 :]
    return Block(found.number, tuple(marked(list(old), list(new))))


def marked(old: list[str], new: list[str]) -> Iterator[Line]:
    """Old and new text as one list of kept, removed and added lines."""
    at = 0
    for change in changes(old, new):
        yield from (Line(" ", text) for text in old[at : change.old_from])
        yield from (Line("-", text) for text in old[change.old_from : change.old_to])
        yield from (Line("+", text) for text in new[change.new_from : change.new_to])
        at = change.old_to
    yield from (Line(" ", text) for text in old[at:])
