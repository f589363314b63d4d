"""The live view: what the board knows after each event, and how it is shown."""

from __future__ import annotations

import io
import os
import pty
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from aifactory.board import Board
from aifactory.events import Stream
from aifactory.model import Record, State
from aifactory.view import LiveView, picture
from tests.patience import PATIENCE

RUN: tuple[tuple[str, str, int | None, dict[str, Any]], ...] = (
    ("task.accepted", "t1", None, {"state": "queued"}),
    ("task.accepted", "t2", None, {"state": "queued"}),
    ("task.blocked", "t2", None, {"state": "blocked", "reason": "waits for `t1`"}),
    ("attempt.started", "t1", 1, {"state": "running", "agent": "coder"}),
    ("model.called", "t1", 1, {"state": "running", "model": "a/b"}),
    ("model.answered", "t1", 1, {"state": "running", "cost_usd": 0.5}),
    ("command.started", "t1", 1, {"command": "pytest -q"}),
)


def played(board: Board, stream: Stream) -> None:
    for name, task, attempt, data in RUN:
        board.take(stream.emit(name, task, attempt, **data))


def drawn(board: Board, width: int = 100) -> str:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=width).print(picture(board))
    return out.getvalue()


def test_the_board_says_what_runs_since_when_at_what_cost() -> None:
    board, stream = Board(), Stream()
    played(board, stream)
    assert board.heading() == "1 running, 1 blocked, $0.5000"
    shown = drawn(board)
    assert "t1  attempt 1  $0.5000" in shown and "runs: `pytest -q`" in shown
    assert "blocked: waits for `t1`" in shown
    board.take(stream.emit("attempt.ended", "t1", 1, state="running"))
    assert board.lines["t1"].doing == "runs: `pytest -q`"
    board.take(stream.emit("task.landed", "t1", 1, state="done", commit="c" * 40))
    assert board.heading() == "1 blocked, 1 done, $0.5000"
    assert "last landed t1 cccccccccc" in drawn(board)


def test_a_board_starts_from_the_records() -> None:
    records = [
        Record(task_id="t1", state=State.DONE, cost_usd=1.5),
        Record(task_id="t2", state=State.READY, reason="waits for your files", attempts=2),
    ]
    board = Board.of(records)
    assert board.heading() == "1 waiting to land, 1 done, $1.50"
    assert "attempt 2" in drawn(board) and "waits for your files" in drawn(board)
    board.take(Stream().emit("attempt.ended", "t1"))
    assert board.heading() == "1 waiting to land, 1 done, $1.50"
    board.take(Stream().emit("task.retried", "t1", state="queued"))
    assert board.heading() == "1 waiting to land, 1 queued, $1.50"


def test_the_picture_fits_a_narrow_terminal_and_keeps_markup_as_text() -> None:
    board, stream = Board(), Stream()
    for number in range(30):
        board.take(stream.emit("task.blocked", f"t{number}", state="blocked", reason="[red]x" * 50))
    lines = drawn(board, 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert "and 18 more" in lines[-1] and "[red]" in lines[1]


def test_without_a_terminal_it_prints_a_line_for_each_event() -> None:
    out, stream = io.StringIO(), Stream()
    with LiveView(out) as view:
        stream.subscribe(view)
        stream.emit("task.failed", "t1", 2, state="failed", reason="\x1b[31mno")
    assert out.getvalue().splitlines()[1][9:] == r"t1 (2) failed: \x1b[31mno"


@contextmanager
def terminal() -> Iterator[tuple[int, Any]]:
    main, other = pty.openpty()
    with os.fdopen(other, "w", buffering=1) as file:
        yield main, file
    os.close(main)


def read_up_to(main: int, last: str) -> str:
    """What a terminal shows; the kernel passes it on in pieces, some of them late."""
    shown = b""
    while last.encode() not in shown and select.select([main], [], [], PATIENCE)[0]:
        shown += os.read(main, 100_000)
    return shown.decode(errors="replace")  # the last piece may end within a letter


def test_on_a_terminal_it_draws_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream()
    with terminal() as (main, file):
        with LiveView(file) as view:
            assert view.on_terminal
            stream.subscribe(view)
            stream.emit("attempt.started", "t1", 1, state="running", agent="coder")
            shown = read_up_to(main, "1 running")
            stream.emit("task.landed", "t1", 1, state="done", commit="c" * 40)
        shown += read_up_to(main, "1 done")
    assert "1 running" in shown and "t1 (1) landed: cccccccccc" in shown and "1 done" in shown


def test_a_terminal_that_stands_still_does_not_hold_up_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody reads the terminal: its buffer is full after a few kilobytes."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream()
    with terminal() as (main, file):
        view = LiveView(file).__enter__()
        stream.subscribe(view)
        for number in range(2000):  # would never end
            stream.emit("task.failed", f"t{number}", state="failed", reason="x" * 100)
        os.set_blocking(main, False)
        ending = threading.Thread(target=view.__exit__, args=(None, None, None))
        ending.start()
        while ending.is_alive():
            with suppress(BlockingIOError):
                os.read(main, 100_000)


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal() as (_, file):
        assert not LiveView(file).on_terminal
