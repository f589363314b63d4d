"""Bytes to lines and back, nothing lost: any encoding, any line ends, byte order mark or not."""

from __future__ import annotations

from typing import NamedTuple

from aifactory.errors import EditRefused

BOM = "\ufeff"
_NEAR = 3  # lines around new ones that tell how they end, where a file mixes line ends


class FileLine(NamedTuple):
    """A line of a file: its text, and how it ends (`\\n`, `\\r\\n`, or nothing at the end)."""

    text: str
    end: str


def decode(data: bytes) -> str:
    """Bytes that are not UTF-8 become lone surrogates, which `encode` turns back."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str, path: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise EditRefused(f"{path}: the new text holds half of a surrogate pair") from None


def split(text: str) -> list[FileLine]:
    """Lines end at a line feed only; a lone carriage return is part of the text."""
    parts = text.split("\n")
    last = parts.pop()
    lines = [
        FileLine(part[:-1], "\r\n") if part.endswith("\r") else FileLine(part, "\n")
        for part in parts
    ]
    return [*lines, FileLine(last, "")] if last else lines


def end_between(lines: list[FileLine], low: int, high: int) -> str | None:
    """How lines end that come in place of rows `low` to `high`, or between them: as all lines near
    do, or all that go, or both neighbours and most lines near; None if these are mixed.
    """
    near = [line.end for line in lines[max(0, low - _NEAR) : high + _NEAR] if line.end]
    gone = {line.end for line in lines[low:high] if line.end}
    beside = {line.end for line in [*lines[max(0, low - 1) : low], *lines[high : high + 1]]}
    if len(set(near)) < 2:
        return near[0] if near else "\n"
    if len(gone) == 1:
        return gone.pop()
    end = beside.pop() if len(beside) == 1 else ""
    return end if 2 * near.count(end) > len(near) else None


def join(lines: list[FileLine]) -> str:
    return "".join([line.text + line.end for line in lines])
