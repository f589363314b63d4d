"""The log: lines for people and for programs, without secrets, never in the way of the work."""

from __future__ import annotations

import io
import json

import pytest

from aifactory.events import Stream
from aifactory.log import Format, reader


def logged(log_format: Format | None, stream: io.StringIO) -> Stream:
    made = Stream("run-1")
    made.subscribe(reader(log_format, stream))
    return made


def test_json_lines_have_name_task_attempt_and_run() -> None:
    out = io.StringIO()
    stream = logged("json", out)
    event = stream.emit("task.failed", "t1", 2, failure={"class": "gate_failed"}, event="clash")
    stream.emit("daemon.ready", jobs=4)
    failed, ready = map(json.loads, out.getvalue().splitlines())
    assert failed == {
        "at": event.at,
        "level": "warning",
        "event": "task.failed",
        "task": "t1",
        "attempt": 2,
        "run": "run-1",
        "id": "run-1-000001",
        "failure": {"class": "gate_failed"},
        "data_event": "clash",
    }
    assert (ready["level"], ready["task"], ready["jobs"]) == ("info", None, 4)


def test_console_lines_are_for_people() -> None:
    out = io.StringIO()
    logged("console", out).emit("task.landed", "t1", 2, commit="a" * 40)
    assert out.getvalue()[8:] == " task.landed        t1 (2)  landed: aaaaaaaaaa\n"


def test_not_on_a_terminal_the_default_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    logged(None, out).emit("x")
    assert json.loads(out.getvalue())["event"] == "x"
    monkeypatch.setattr(out, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    logged(None, out).emit("y")
    assert "\x1b[1mrun-1\x1b[0m  y\n" in out.getvalue()


def test_secrets_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "canary-canary")
    out = io.StringIO()
    formats: tuple[Format, ...] = ("json", "console")
    for log_format in formats:
        logged(log_format, out).emit(
            "a.b", "t1", deep=[{"x": "canary-canary"}], reason="canary-canary!"
        )
    assert "canary" not in out.getvalue() and out.getvalue().count("[redacted secret]") == 4


def test_control_characters_of_others_do_not_reach_the_terminal() -> None:
    out = io.StringIO()
    logged("console", out).emit("a.b", "t1", message="\x1b[2J\u202e")
    assert "\x1b" not in out.getvalue() and "\u202e" not in out.getvalue()


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    out = io.StringIO()
    stream = logged("json", out)
    out.close()
    assert stream.emit("task.landed", "t1").name == "task.landed"
