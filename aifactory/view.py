"""The live view of a run: what works on what, since when, what it cost, what waits and why.

Where there is no terminal it prints lines.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TextIO

from aifactory.board import STAGE_WIDTH, Board, Line
from aifactory.model import Event, State
from aifactory.narration import (
    STATE_WORDS,
    describe,
    duration,
    money,
    needs_attention,
    one_line,
)
from aifactory.redaction import redacted

if TYPE_CHECKING:
    from rich.console import RenderableType

TICK_SECONDS = 1.0
SETTLE_SECONDS = 0.05  # events that come together are drawn once
SHOWN = 12  # tasks of a kind; the rest is counted
TOLD = ("task.landed", "task.cancelled", "daemon.recovered", "prompt.broken")


class LiveView:
    """A reader of the stream that shows the board. Drawing happens in a thread of its own, so a
    terminal that stands still does not hold up the work."""

    def __init__(self, stream: TextIO | None = None, board: Board | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.board = board or Board()
        self.on_terminal = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self._news: deque[Event] = deque()
        self._bell = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._draw, name="view", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ends = True
        self._bell.set()
        self._thread.join(timeout=2)

    def __call__(self, event: Event) -> None:
        self._news.append(event)
        self._bell.set()

    def _draw(self) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone: the work goes on
            if self.on_terminal:
                self._draw_live()
            else:
                self._print_lines()

    def _draw_live(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self.stream, highlight=False)
        with Live(console=console, auto_refresh=False, redirect_stdout=False) as live:
            while not self._ends or self._news:
                for event in self._taken():
                    if needs_attention(event) or event.name in TOLD:
                        console.print(_told(event), soft_wrap=True)
                live.update(picture(self.board), refresh=True)
                self._rest()
            live.update(picture(self.board), refresh=True)

    def _print_lines(self) -> None:
        self.stream.write(self.board.heading() + "\n")
        self.stream.flush()
        while not self._ends or self._news:
            for event in self._taken():
                self.stream.write(spoken(event) + "\n")
            self.stream.flush()
            self._rest()

    def _taken(self) -> list[Event]:
        """The events since the last time, after the board took them."""
        self._bell.clear()
        news = [self._news.popleft() for _ in range(len(self._news))]
        for event in news:
            self.board.take(event)
        return news

    def _rest(self) -> None:
        """Wait for events; while something runs its clock moves on without any."""
        running = self.on_terminal and self.board.of_state(State.RUNNING)
        if not self._ends and not self._news:
            self._bell.wait(TICK_SECONDS if running else None)
            threading.Event().wait(SETTLE_SECONDS)


def spoken(event: Event) -> str:
    """One event as a line: `10:04:05 t1 (2) landed: 1a2b3c4d5e`."""
    attempt = f" ({event.attempt})" if event.attempt else ""
    who = f"{event.task}{attempt}" if event.task else "-"
    return one_line(f"{event.at[11:19]} {who} {redacted(describe(event))}")


def picture(board: Board) -> RenderableType:
    """The board for a terminal. Texts, never markup: ids and reasons come from outside."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(board.heading(), style="bold")]
    running = board.of_state(State.RUNNING, State.READY)
    waiting = board.of_state(*(s for s in STATE_WORDS if s not in (State.RUNNING, State.READY)))
    parts += [_table(running, "blue")] if running else []
    parts += [_table(waiting, "yellow")] if waiting else []
    parts += [Text(f"last landed {board.last_landed}", style="green")] if board.last_landed else []
    return Group(*parts)


def _table(lines: list[Line], colour: str) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2), expand=True)
    for width in (None, None, None, 7):
        table.add_column(no_wrap=True, min_width=width)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    order = list(STATE_WORDS)
    for line in sorted(lines, key=lambda one: order.index(one.state))[:SHOWN]:
        cells: list[Any] = [line.task_id, f"attempt {line.attempt}" if line.attempt else ""]
        cells += [money(line.cost_usd), duration(_elapsed(line.since))]
        said = line.doing if line.state is State.RUNNING else _waits(line)
        table.add_row(*(Text(one_line(cell)) for cell in cells), Text(said), style=colour)
    if len(lines) > SHOWN:
        table.add_row(Text(f"and {len(lines) - SHOWN} more", style="dim"))
    return table


def _waits(line: Line) -> str:
    words = STATE_WORDS[line.state]
    return one_line(f"{words}: {line.doing}" if line.doing else words, STAGE_WIDTH)


def _told(event: Event) -> Any:
    from rich.text import Text

    return Text(spoken(event), style="yellow" if needs_attention(event) else "green")


def _elapsed(since: str) -> float:
    with suppress(ValueError):
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())
    return 0.0
