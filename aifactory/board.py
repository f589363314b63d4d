"""What is going on in a run, folded from its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from aifactory.model import Event, Record, State
from aifactory.narration import STATE_WORDS, describe, money, one_line
from aifactory.redaction import redacted

STAGE_WIDTH = 70
BOOKKEEPING = ("attempt.ended",)  # changes nothing of what a task does


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
