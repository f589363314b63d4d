"""From the text of a model to edits, or AnswerUnusable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import cast, get_args

from aifactory.edits.blocks import Block, Delete, Edits, Format, Rename, Step, Update
from aifactory.edits.formats import json_edits, search_replace, udiff, v4a, whole
from aifactory.edits.recognise import recognise
from aifactory.errors import AnswerUnusable

_MOST_LINES = 50_000  # five times those of a long file; reading more takes too long
_LONG = 200
_THOUGHTS = re.compile(r"\s*<(think|thinking)>")
_TRUNCATED = re.compile(
    r"(?![ +\-])[^\w\n]*(?:\.\.\.|\u2026|\[|\()[^\w\n]*"
    r"(?:$|(?:\w+ )*(?:truncated|omitted|cut off|continued)\b)",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"[^\W\d_].*\b(?:(?:output|token|length|message) limit\b"
    r"|in (?:the|my) next (?:message|answer|reply)\b|say \W?continue\b)",
    re.IGNORECASE,
)
_CUT = frozenset({"length", "max_tokens", "model_length", "incomplete", "content_filter"})

FORMATS = get_args(Format)


def parse(answer: str, *, finish_reason: str = "stop", format: str = "auto") -> Edits:
    """The edits that `answer` stands for; `format` is one of the five, or `auto`.

    Raises AnswerUnusable if it is cut off, cannot be read in full, or holds no edit.
    """
    if finish_reason in _CUT:
        raise AnswerUnusable(
            f"the answer is cut off (finish_reason {finish_reason})",
            next_step="give a shorter answer, for example in smaller edits",
        )
    if not answer.strip():
        raise AnswerUnusable("the answer is empty", next_step="answer with edits")
    if (lines := answer.count("\n") + answer.count("\\n")) > _MOST_LINES:
        raise AnswerUnusable(
            f"the answer has {lines} lines, more than {_MOST_LINES}",
            next_step="give edits of the places to change, not whole files",
        )
    answer = _unwrapped(_without_thoughts(answer.removeprefix("\ufeff")))
    _check_end(answer)
    edits = _read(answer, _format(answer, format))
    if not edits.paths and recognise(answer) not in (edits.format, "whole"):
        edits = _read(answer, recognise(answer))
    if not edits.paths:
        raise AnswerUnusable(
            "there is no edit in the answer", next_step="answer with edits in the format asked for"
        )
    return edits


def _format(answer: str, format: str) -> Format:
    if format == "auto":
        return recognise(answer)
    if format not in FORMATS:
        raise AnswerUnusable(f"{format!r} is no format of answers")
    return cast(Format, format)


def _read(answer: str, name: Format) -> Edits:
    if name == "whole":
        writes, unnamed = whole.parse(answer)
        return Edits(name, _joined(writes), unnamed=tuple(unnamed))
    if name == "json":
        steps, summary = json_edits.parse(answer)
        return Edits(name, _joined(steps), summary)
    if name == "udiff":
        steps, modes = udiff.parse(answer)
        return Edits(name, _joined(steps), modes=modes)
    read = v4a.parse if name == "v4a" else search_replace.parse
    return Edits(name, _joined(read(answer)))


def _joined(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with every block once, and blocks of one file as one step where nothing happens
    to the file in between.
    """
    joined: list[Step] = []
    known: set[tuple[str, Block]] = set()
    last: dict[str, int] = {}
    replaced: dict[tuple[str, object], int] = {}
    for step in steps:
        if not isinstance(step, Update):
            last = {} if isinstance(step, Rename | Delete) else last
            last.pop(step.path, None)
            joined.append(step)
            continue
        blocks = tuple(block for block in step.blocks if _is_new(step.path, block, known))
        if step.in_order:
            _check_agree(step.path, blocks, replaced)
        if blocks and step.path in last:
            before = cast(Update, joined[last[step.path]])
            joined[last[step.path]] = replace(before, blocks=before.blocks + blocks)
        elif blocks:
            last[step.path] = len(joined)
            joined.append(replace(step, blocks=blocks))
    return tuple(joined)


def _check_agree(
    path: str, blocks: tuple[Block, ...], replaced: dict[tuple[str, object], int]
) -> None:
    """Raise if two edits replace the same text, but with different ones."""
    for block in blocks:
        old = block.literal[0] if block.literal else tuple(line.text for line in block.old)
        first = replaced.setdefault((path, old), block.number)
        if first != block.number:
            raise AnswerUnusable(
                f"{path}: edits {first} and {block.number} replace the same text in two ways",
                next_step="give one edit for each place",
            )


def _is_new(path: str, block: Block, known: set[tuple[str, Block]]) -> bool:
    """Whether the block is not given for the second time, in every respect but its number."""
    key = (path, replace(block, number=0))
    if key in known:
        return False
    known.add(key)
    return True


def _without_thoughts(answer: str) -> str:
    """The answer without what a model that thinks aloud says first."""
    opened = _THOUGHTS.match(answer)
    if not opened:
        return answer
    closed = f"</{opened[1]}>"
    _, found, rest = answer.partition(closed)
    if not found:
        raise AnswerUnusable(
            f"the answer ends before its thoughts do (`{closed}`), it is cut off",
            next_step="answer with edits",
        )
    return rest


def _check_end(answer: str) -> None:
    """Raise if the last line says that something is left out behind it."""
    last = answer.rstrip().rpartition("\n")[2]
    if len(last) < _LONG and (_TRUNCATED.match(last) or _LIMIT.match(last)):
        raise AnswerUnusable(
            f"the answer ends with {last.strip()!r}, it is cut off",
            next_step="give the whole answer, or smaller edits",
        )


def _unwrapped(answer: str) -> str:
    """The answer with line feeds, if all of its lines, prose as well, end in CRLF."""
    whole = answer.count("\r\n") > 1 and answer.count("\r\n") == answer.count("\n")
    return answer.replace("\r\n", "\n") if whole else answer
