"""Results on stdout, everything else on stderr; JSON and tables that look alike everywhere."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from aifactory.narration import one_line, printable, printable_json

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "dim": 2, "bold": 1}
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, as the shell reports a `git log` that lost its reader
NARROWEST = 20


def say(text: str, end: str = "\n") -> None:
    """Give a result, at once."""
    with reading():
        sys.stdout.write(text + end)
        sys.stdout.flush()


@contextmanager
def reading() -> Iterator[None]:
    """End as any program whose reader has left, such as `head`."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(EXIT_BROKEN_PIPE) from None


def note(text: str) -> None:
    """Tell something that is no result."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def print_json(value: Any) -> None:
    """Give a result to a program."""
    say(printable_json(json.dumps(value, indent=1, ensure_ascii=False)))


def paint(text: str, colour: str) -> str:
    """The text in a colour where stdout shows colours."""
    from aifactory.log import colours

    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if text and colours(sys.stdout) else text


def print_table(rows: Sequence[Sequence[str]], colours: Sequence[str] = ()) -> None:
    """Rows in columns; the last column takes what a terminal has left, and is cut there."""
    if not rows:
        return
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]) - 1)]
    rest = max(NARROWEST, _width() - sum(widths) - 2 * len(widths))
    for number, row in enumerate(cells):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        last = row[-1] if len(row[-1]) <= rest else row[-1][: rest - 1] + "…"
        colour = colours[number] if number < len(colours) else ""
        head = paint(padded[0], colour) if colour else padded[0]
        say("  ".join([head, *padded[1:], last]).rstrip())


def print_raw(data: bytes) -> None:
    """Bytes as they are; on a terminal without what could steer it."""
    if sys.stdout.isatty():
        say(printable(data.decode(errors="replace")), end="")
        return
    with reading():
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


def _width() -> int:
    """Columns of the terminal; without one nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 100_000
