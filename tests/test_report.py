"""The report of one task and of all, as Markdown and as rows."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aifactory.events import Stream
from aifactory.model import Event, Failure, Record, State, Usage, Verdict
from aifactory.report import by_urgency, markdown, overview, reason, row, totals


def failure(**more: Any) -> Failure:
    known = {"class": "gate_failed", "stage": "gate", "message": "red", "retryable": True}
    return Failure.model_validate(known | more)


def events() -> list[Event]:
    stream = Stream()
    emit = stream.emit
    return [
        emit("task.accepted", "t1", state="queued", file="t1.json"),
        emit("attempt.started", "t1", 1, state="running", agent="coder"),
        emit("model.answered", "t1", 1, state="running", cost_usd=0.01),
        emit("command.finished", "t1", 1, argv=["pytest", "a|b"], exit_code=1, seconds=2.0),
        emit("attempt.failed", "t1", 1, state="queued", failure={"class": "x", "message": "red"}),
        emit("attempt.started", "t1", 2, state="running", agent="coder"),
        emit("command.finished", "t1", 2, argv=["pytest"], exit_code=0, seconds=2.0),
        emit("task.landed", "t1", 2, state="done", commit="c" * 40),
    ]


def test_the_report_tells_outcome_attempts_checks_and_times() -> None:
    record = Record(
        task_id="t1", state=State.DONE, title="Fix it", agent="coder", attempts=2, charged=1,
        calls=2, commit="c" * 40, cost_usd=0.02, tokens=Usage(prompt=9, completion=4), seconds=4.2,
    )  # fmt: skip
    verdicts = [
        Verdict(check="gate", ok=True, seconds=2.0),
        Verdict(check="size", ok=False, message="too big", evidence="10 MB\n```"),
    ]
    text = markdown(record, events(), verdicts)
    assert text.startswith("# t1: done\n\nFix it\n")
    assert "| cost | $0.0200, 9 tokens in, 4 out |" in text
    assert "| commit | `" + "c" * 40 + "` |" in text
    assert r"| 1 | 1 | `pytest 'a\|b'` exit 1 | the attempt failed: x: red |" in text
    assert "| 2 | 0 | `pytest` ok | landed: cccccccccc |" in text
    assert "| size | **failed** | 0.0 s | too big |" in text
    assert "\n    10 MB\n    ```\n" in text
    assert "`task.landed` (2) landed: cccccccccc\n" in text


def test_a_failure_comes_with_its_next_step() -> None:
    record = Record(task_id="t1", state=State.FAILED, failure=failure(next_step="mend it"))
    text = markdown(record, [])
    assert "## Why it failed: `gate_failed` in gate\n\n    red\n\nNext: mend it\n" in text
    assert "## Attempts" not in text and "## Checks" not in text


@given(st.text(), st.text(), st.text())
def test_no_text_breaks_out_of_the_report(title: str, message: str, why: str) -> None:
    """Headings and tables are the report's own, whatever a task or a model said."""
    record = Record(
        task_id="t1", state=State.FAILED, title=title, reason=why, failure=failure(message=message)
    )
    text = markdown(record, [])
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert [line for line in headings if line != f"## {title}".strip()][:1] == [
        "## Why it failed: `gate_failed` in gate"
    ]
    assert overview([record]).count("\n| t1 |") == 1


def test_rows_and_totals_are_those_of_status() -> None:
    records = [
        Record(task_id="a", state=State.DONE, cost_usd=0.1, tokens=Usage(prompt=1, completion=2)),
        Record(task_id="b", state=State.FAILED, cost_usd=0.2, failure=failure()),
    ]
    sums = totals(records)
    assert (sums["done"], sums["failed"], sums["queued"]) == (1, 1, 0)
    assert (sums["cost_usd"], sums["tokens"]) == (0.3, {"prompt": 1, "completion": 2})
    assert row(records[1])["failure"]["class"] == "gate_failed"
    waiting = Record(task_id="c", state=State.BLOCKED, reason="waits for `b`")
    assert [row(one)["reason"] for one in (records[0], waiting)] == ["", "waits for `b`"]


def test_what_needs_a_person_comes_first() -> None:
    states = (State.DONE, State.QUEUED, State.AWAITING_INPUT, State.FAILED, State.RUNNING)
    records = [Record(task_id=state, state=state) for state in states]
    assert [record.state for record in by_urgency(records)] == [
        State.FAILED, State.AWAITING_INPUT, State.RUNNING, State.QUEUED, State.DONE,
    ]  # fmt: skip
    assert overview([]) == "# Report\n\nNo task yet.\n"


def test_the_reason_is_the_failure_or_why_it_waits() -> None:
    failed = Record(task_id="t", state=State.FAILED, failure=failure(message="a\nb"), reason="r")
    assert reason(failed) == "gate_failed: a b"
    assert reason(failed.model_copy(update={"state": State.DONE})) == "r"
