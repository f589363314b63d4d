"""Which of the five formats an answer is in, by its content."""

from __future__ import annotations

import re

from aifactory.edits.blocks import Format
from aifactory.edits.formats.fences import Fence, fence, path_in_info, path_in_line
from aifactory.edits.formats.whole import first_block

_ABOVE = 4  # lines above an object that may name it

_V4A = re.compile(r"^[ \t]*\*\*\* (?:Begin Patch|(?:Update|Add|Delete) File: )", re.MULTILINE)
_SEARCH = re.compile(r"^[ \t]*<{5,9} ?SEARCH\b", re.MULTILINE)
_UDIFF = re.compile(r"^(?:diff --git |--- \S.*\n\+\+\+ \S|@@ -\d+(?:,\d+)? \+\d)", re.MULTILINE)
_JSON = re.compile(r"^[ \t]*+(?:[{\[]|```(?:json\w*+)?[ \t\r]*+\n\s*+[{\[])", re.MULTILINE)
_JSON_KEY = re.compile(r"""(["'])(?:writes|edits|op|path)\1\s*:""")
_PATTERNS: tuple[tuple[re.Pattern[str], Format], ...] = (
    (_V4A, "v4a"),
    (_SEARCH, "search_replace"),
    (_UDIFF, "udiff"),
)


def recognise(answer: str) -> Format:
    """The format whose marks come first; whole files if there are none."""
    found: list[tuple[int, Format]] = []
    json_at = _JSON.search(answer)
    if json_at and _JSON_KEY.search(answer, json_at.start()) and not _named(answer, json_at):
        found.append((json_at.start(), "json"))
    for pattern, name in _PATTERNS:
        if match := pattern.search(answer):
            found.append((match.start(), name))
    if not found or _inside(answer, min(found)[0]) or _is_deep(answer, min(found)[0]):
        return "whole"
    return min(found)[1]


def _inside(answer: str, at: int) -> bool:
    """Whether a mark is part of the text of a file that the answer gives in full."""
    block = first_block(answer)
    return block is not None and block[0] + 1 < answer.count("\n", 0, at) < block[1]


def _is_deep(answer: str, at: int) -> bool:
    """Whether a mark stands far below the fence that is around it: in the text of a file."""
    opener: Fence | None = None
    row = 0
    for row, line in enumerate(lines := answer[:at].split("\n")):
        if (found := fence(line)) and (opener is None or found.closes(opener)):
            opener, first = (None, row) if opener else (found, row)
    return opener is not None and len(lines) - 1 - first > _ABOVE


def _named(answer: str, found: re.Match[str]) -> bool:
    """Whether the JSON is the text of a file: a fence with a name is around it."""
    above = answer[: found.end()].rstrip("{[ \t\r\n").split("\n")[-_ABOVE:]
    at = next((at for at, line in enumerate(above) if fence(line)), None)
    if at is None:
        return False
    opener = fence(above[at])
    path = path_in_line(next((line for line in reversed(above[:at]) if line.strip()), ""))
    return bool(opener and path_in_info(opener.info)) or bool(path and ("." in path or "/" in path))
