"""What an answer puts around every line of a text: indentation, line numbers, space at the end."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from aifactory.edits.likeness import bare
from aifactory.errors import EditRefused

_NUMBERED = re.compile(
    r"[ ]*(\d{1,9})(?:[ ]*[|:\u2502\u2192]|\t|[ ]*$)(?:(?<!\t)[ ])?(.*)", re.DOTALL
)
_BARRED = re.compile(r"[ ]*\d+[ ]*[|\u2502\u2192]")
_FEW = 3  # lines that must be numbered for the numbers not to be part of the text


def outdented(lines: list[str], indent: str) -> list[str]:
    """The lines without the indentation that their fence has, if all of them have it."""
    if not indent or not all(line.startswith(indent) for line in lines if line.strip()):
        return lines
    return [line[len(indent) :] if line.strip() else line.removeprefix(indent) for line in lines]


def unnumbered(lines: Sequence[str], known: Collection[str]) -> list[str] | None:
    """The lines without the numbers that all of them begin with, None if they have none, or
    `known`, the file's lines, have them too.
    """
    texts = _texts_behind(lines)
    if texts is None or len(lines) < _FEW:
        return None
    return texts if sum(text in known for text in texts) * 2 > len(texts) else None


def are_numbered(lines: Sequence[str]) -> bool:
    """Whether every line begins with a number, one more than the line above, and a bar."""
    barred = all(_BARRED.match(line) for line in lines)
    return bool(lines) and barred and _texts_behind(lines) is not None


def without_numbers(lines: Sequence[str]) -> list[str]:
    """Lines that `are_numbered` without their numbers."""
    return _texts_behind(lines) or list(lines)


def numbered(path: str) -> EditRefused:
    """The refusal of lines whose numbers may be the model's and not the text's."""
    return EditRefused(
        f"{path}: every line begins with its number",
        next_step="give the lines without numbers",
    )


def _texts_behind(lines: Sequence[str]) -> list[str] | None:
    """What stands behind the numbers of the lines, None if they are not numbered in order."""
    found = [_NUMBERED.fullmatch(line) for line in lines]
    if not all(found):
        return None
    matches = [match for match in found if match]
    counted = [int(match[1]) for match in matches]
    in_order = counted == list(range(counted[0], counted[0] + len(counted)))
    return [match[2] for match in matches] if in_order else None


def trimmed(text: str) -> str:
    """The text without white space at the end of lines, if all of them have some that say
    something; where it is always the same, without that and no more.
    """
    lines = text.split("\n")
    told = [bare(line) for line in lines if line.strip()]
    if not all(line != line.rstrip(" \t") for line in told):
        return text
    ends = {line[len(line.rstrip(" \t")) :] for line in told}
    same = ends.pop() if len(ends) == 1 else None
    return "\n".join([_without_end(line, same) for line in lines])


def gained(pairs: Sequence[tuple[str, str]]) -> str:
    """The white space that each line of an answer has at its end behind the text of the file, in
    pairs of the file's text and the answer's; "" if they are too few to tell, or differ.
    """
    more = {bare(said)[len(true) :] if said.startswith(true) else "" for true, said in pairs}
    same = more.pop() if len(more) == 1 and len(pairs) >= _FEW else ""
    return "" if same.strip(" \t") else same


def uneven(label: str) -> EditRefused:
    """The refusal of lines whose ends may be the model's and not the change's."""
    return EditRefused(
        f"{label} has white space at the end of lines otherwise than the file",
        next_step="copy the lines from the file with the ends that they have",
    )


def _without_end(line: str, same: str | None) -> str:
    end = "\r" if line.endswith("\r") else ""
    text = bare(line)
    return (text.rstrip(" \t") if same is None else text.removesuffix(same)) + end


def is_set_off(lines: Sequence[str]) -> bool:
    """Whether one space stands before every line, as a model puts it behind the mark of a diff."""
    told = [line for line in lines if line.strip()]
    spaces = [len(line) - len(line.lstrip(" ")) for line in told]
    return len(told) >= _FEW and min(spaces) == 1 and spaces[0] == 1
