"""SEARCH/REPLACE blocks under the name of their file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from aifactory.edits.blocks import Block, Step, Update, Write
from aifactory.edits.diff import marked
from aifactory.edits.formats.fences import (
    Fence,
    begins_name,
    fence,
    open_fence,
    path_in_info,
    path_in_line,
)
from aifactory.edits.likeness import indent
from aifactory.edits.margins import outdented
from aifactory.edits.paths import tidy
from aifactory.errors import AnswerUnusable

_SEARCH = re.compile(r"<{5,9} ?SEARCH>?[ \t\r]*")
_DIVIDER = re.compile(r"={5,9}[ \t\r]*")
_REPLACE = re.compile(r">{5,9} ?REPLACE[ \t\r]*")
_READINGS = 12  # ways to divide a block that are tried
_READ = 100_000  # lines that are read in more than one way
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
    steps: list[Step] = []
    left = _READ
    for found in _blocks(answer.split("\n")):
        left -= len(found.body) * (len(found.dividers) - 1)
        if len(found.dividers) > _READINGS or left < 0:
            raise AnswerUnusable(
                f"{found.path}: block {found.number} has {len(found.dividers)} lines that look "
                "like its divider",
                next_step="choose lines to search for that do not look like the divider",
            )
        steps.append(_step(found))
    return steps


def _blocks(lines: list[str]) -> Iterator[Found]:
    path: str | None = None
    at = number = after = 0
    opener: Fence | None = None
    while at < len(lines):
        if not _SEARCH.fullmatch(lines[at].strip()):
            _check_outside(lines[at], number)
            at += 1
            continue
        number += 1
        opener = open_fence(lines[after:at], opener)
        path = _named(lines, after, at) or path
        if path is None:
            raise AnswerUnusable(f"block {number} does not say which file it changes")
        end, dividers = _extent(lines, at, path, number)
        body = outdented(lines[at + 1 : end], indent(lines[at]))
        yield Found(path, number, tuple(body), dividers)
        at = after = end + 1
    _check_rest(lines, after, opener, number)


def _check_outside(line: str, number: int) -> None:
    """Raise if a line between blocks is a mark: the text of the block before may hold another."""
    if number and _REPLACE.fullmatch(line.strip()):
        raise AnswerUnusable(
            f"behind block {number} is one more `>>>>>>> REPLACE`; its end is not clear",
            next_step="choose lines that do not look like the marks of a block",
        )


def _named(lines: list[str], after: int, at: int) -> str | None:
    """The name that stands above a block, or in the fence around it."""
    opened = False
    for row in range(at - 1, max(after - 1, at - 6), -1):
        found = fence(lines[row])
        if found and opened:
            return None
        if found:
            opened = True
            if path := path_in_info(found.info):
                return tidy(path)
        elif lines[row].strip():
            path = path_in_line(lines[row])
            return tidy(path) if path else None
    return None


def _extent(lines: list[str], at: int, path: str, number: int) -> tuple[int, tuple[int, ...]]:
    """The row of the REPLACE mark, and the rows in the body that may be the divider."""
    dividers: list[int] = []
    for row in range(at + 1, len(lines)):
        text = lines[row].strip()
        if _DIVIDER.fullmatch(text):
            dividers.append(row - at - 1)
        elif _REPLACE.fullmatch(text) and dividers:
            exact = [d for d in dividers if lines[at + 1 + d].rstrip() == _EXACT_DIVIDER]
            if not exact and len(dividers) > 1:
                raise _no_divider(path, number)
            return row, tuple(exact or dividers)
        elif _SEARCH.fullmatch(text):
            break
    raise AnswerUnusable(
        f"{path}: block {number} has no end (`>>>>>>> REPLACE`), the answer seems cut off",
        next_step="give every block in full: SEARCH, =======, REPLACE",
    )


def _no_divider(path: str, number: int) -> AnswerUnusable:
    return AnswerUnusable(
        f"{path}: block {number} has no line `=======`, and several that look like it",
        next_step="give every block in full: SEARCH, =======, REPLACE",
    )


def _check_rest(lines: list[str], after: int, opener: Fence | None, number: int) -> None:
    last = next((line for line in reversed(lines[after:]) if line.strip()), "")
    begins = begins_name(last, ended=not lines[-1]) or last.startswith("<")
    if number and (begins or open_fence(lines[after:], opener)):
        raise AnswerUnusable(
            "the answer ends where another block begins, or with a code fence that is never "
            "closed; it seems cut off",
            next_step="give the whole answer again",
        )


def _step(found: Found) -> Step:
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
