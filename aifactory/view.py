"""The live view of a run: what works on what, since when, what it cost, what waits and why.

`Board` folds events, `LiveView` shows it on a terminal; where there is no terminal it prints lines.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from aifactory.model import Event, Record, State
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
STAGE_WIDTH = 70
BOOKKEEPING = ("attempt.ended",)  # changes nothing of what a task does
TOLD = ("task.landed", "task.cancelled", "daemon.recovered", "prompt.broken")


@dataclass
class Line:
    """One open task as the view shows it. `since` is the time of what it does now."""

    task_id: str
    state: State
    doing: str = ""
    since: str = ""
    attempt: int = 0
    cost_usd: float = 0.0


@dataclass
class Board:
    """What is going on, as far as the events told."""

    lines: dict[str, Line] = field(default_factory=dict)
    closed: dict[str, State] = field(default_factory=dict)
    cost_usd: float = 0.0
    last_landed: str = ""

    @classmethod
    def of(cls, records: Iterable[Record]) -> Board:
        """The board where the records left it."""
        board = cls()
        for record in records:
            board.cost_usd += record.cost_usd
            if record.state.closed:
                board.closed[record.task_id] = record.state
            else:
                board.lines[record.task_id] = Line(
                    record.task_id,
                    record.state,
                    record.reason,
                    record.started_at or record.created_at,
                    record.attempts,
                    record.cost_usd,
                )
        return board

    def take(self, event: Event) -> None:
        """Bring the board to after an event."""
        if event.task is None or (event.task in self.closed and _state(event) is None):
            return
        self.closed.pop(event.task, None)
        line = self.lines.setdefault(event.task, Line(event.task, State.QUEUED))
        spent = event.data.get("cost_usd")
        if event.name == "model.answered" and isinstance(spent, int | float):
            line.cost_usd += spent
            self.cost_usd += spent
        line.attempt = event.attempt or line.attempt
        line.state = _state(event) or line.state
        if event.name not in BOOKKEEPING:
            line.doing, line.since = _doing(event, line.state), event.at
        if line.state.closed:
            self._close(event, line)

    def _close(self, event: Event, line: Line) -> None:
        self.closed[line.task_id] = line.state
        del self.lines[line.task_id]
        if line.state is State.DONE:
            commit = str(event.data.get("commit") or "")[:10]
            self.last_landed = one_line(f"{line.task_id} {commit}")

    def of_state(self, *states: State) -> list[Line]:
        """The open tasks in one of these states."""
        return [line for line in self.lines.values() if line.state in states]

    def heading(self) -> str:
        """`2 running, 3 queued, 5 done, $0.0123`."""
        counts = Counter([*(line.state for line in self.lines.values()), *self.closed.values()])
        said = [f"{counts[state]} {words}" for state, words in STATE_WORDS.items() if counts[state]]
        return ", ".join([*said, money(self.cost_usd)])


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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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


def _state(event: Event) -> State | None:
    """The state that an event led to; None where it does not say."""
    with suppress(ValueError):
        return State(str(event.data.get("state")))
    return None


def _doing(event: Event, state: State) -> str:
    """What a task does after an event, or why it waits."""
    reason = event.data.get("reason")
    tells = state is State.RUNNING or "failure" in event.data
    said = str(reason) if reason else describe(event) if tells else ""
    return one_line(redacted(said), STAGE_WIDTH)


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
