"""The patch envelope: `*** Begin Patch`, files, hunks, `*** End Patch`."""

from __future__ import annotations

import re
from itertools import pairwise

from aifactory.edits.blocks import Block, Delete, Line, Mark, Rename, Step, Update, Write
from aifactory.edits.margins import is_set_off
from aifactory.edits.paths import tidy
from aifactory.errors import AnswerUnusable

_HEAD = re.compile(r"\*\*\* (Update|Add|Delete) File:[ \t]*(.+)")
_MOVE = re.compile(r"\*\*\* Move to:[ \t]*(.+)")
_BEGIN, _END, _EOF = "*** Begin Patch", "*** End Patch", "*** End of File"
_NUMBERS = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@ ?(.*)")
_MARKS: dict[str, Mark] = {" ": " ", "-": "-", "+": "+"}


def parse(answer: str) -> list[Step]:
    """The steps of every envelope; AnswerUnusable if one has no end."""
    steps: list[Step] = []
    inside = False
    section: list[str] = []
    for line in answer.split("\n"):
        mark = line.strip()
        if mark == _BEGIN or (not inside and _HEAD.fullmatch(mark)):
            if inside:
                raise AnswerUnusable("a patch begins before the one before it has ended")
            inside = True
            section = [] if mark == _BEGIN else [line]
        elif inside and line.rstrip() == _END:
            steps += _steps(section, len(steps))
            inside = False
        elif inside:
            section.append(line)
    if inside:
        raise AnswerUnusable(
            "`*** End Patch` is missing, the answer seems cut off",
            next_step="give the whole patch again",
        )
    return steps


def _steps(lines: list[str], count: int) -> list[Step]:
    steps: list[Step] = []
    heads = [at for at, line in enumerate(lines) if _HEAD.fullmatch(line.rstrip())]
    before = lines[: heads[0]] if heads else lines
    if any(line.strip() for line in before):
        raise AnswerUnusable(f"the patch begins with {before[0][:80]!r}, not with a file")
    for low, high in pairwise([*heads, len(lines)]):
        steps += _file(lines[low].rstrip(), lines[low + 1 : high], count + len(steps) + 1)
    return steps


def _file(head: str, body: list[str], number: int) -> list[Step]:
    match = _HEAD.fullmatch(head)
    if match is None:
        return []
    kind, path = match[1], tidy(match[2])
    if kind == "Delete":
        if any(line.strip() for line in body):
            raise AnswerUnusable(f"{path}: a file that is deleted has no lines in a patch")
        return [Delete(path, number)]
    if kind == "Add":
        return [Write(path, _added(path, body), number, fresh=True, exact_end=False)]
    return _updated(path, body, number)


def _added(path: str, body: list[str]) -> str:
    end = len(body)
    while end and not body[end - 1].strip():
        end -= 1
    body = body[:end]
    if body and body[-1].strip() == _EOF:
        body = body[:-1]
    wrong = [line for line in body if line.strip() and not line.startswith("+")]
    if wrong:
        raise AnswerUnusable(
            f"{path}: every line of a new file begins with `+`, but not {wrong[0][:80]!r}"
        )
    if is_set_off([line[1:] for line in body]):
        raise AnswerUnusable(f"{path}: every line of the new file begins with a space")
    return "".join(line[1:] + "\n" for line in body)


def _updated(path: str, body: list[str], number: int) -> list[Step]:
    to = ""
    first = 0
    for line in body:
        move = _MOVE.fullmatch(line.rstrip())
        if line.strip() and not move:
            break
        to = tidy(move[1]) if move else to
        first += 1
    blocks = _blocks(path, body[first:])
    steps: list[Step] = [Update(path, tuple(blocks))] if blocks else []
    if to and to != path:
        steps.append(Rename(path, to, number))
    if not steps:
        raise AnswerUnusable(f"{path}: the patch has no hunk for this file")
    return steps


def _blocks(path: str, body: list[str]) -> list[Block]:
    blocks: list[Block] = []
    anchors: list[str] = []
    lines: list[Line] = []
    empty = 0  # lines at the end that may only separate this hunk from what follows
    for text in [*body, "@@"]:
        if text.startswith("@@") or text.rstrip() == _EOF:
            at_end = text.rstrip() == _EOF
            if lines := lines[: len(lines) - empty]:
                blocks.append(Block(len(blocks) + 1, tuple(lines), tuple(anchors), at_end=at_end))
                lines, anchors = [], []
            empty = 0
            if anchor := _anchor(text):
                anchors.append(anchor)
            continue
        mark = _MARKS.get(text[:1])
        empty = 0 if text.strip("\r") else empty + 1
        lines.append(Line(mark or " ", text[1:] if mark else text))
    return blocks


def _anchor(text: str) -> str:
    if not text.startswith("@@"):
        return ""
    if numbers := _NUMBERS.fullmatch(text.rstrip()):
        return numbers[1].strip()
    return text[2:].strip().removesuffix("@@").rstrip()
