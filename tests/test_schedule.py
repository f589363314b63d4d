"""A task with a cron line runs again and again, at its time and not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aifactory import requests
from aifactory.model import State
from aifactory.schedule import next_time, problem, seconds_until
from tests.conftest import Checkout
from tests.house import House, drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def arrive(house: House, task_id: str) -> None:
    """Let the scheduled moment be now."""
    record = house.factory.queue.records[task_id]
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    house.factory.queue.records[task_id] = record.model_copy(update={"due_at": past})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("*/5 * * * *", "2026-03-01T12:05:00.000000Z"),
        ("30 1 * * *", "2026-03-02T01:30:00.000000Z"),
        ("@hourly", "2026-03-01T13:00:00.000000Z"),
    ],
)
def test_the_next_moment_of_a_line(line: str, expected: str) -> None:
    assert next_time(line, NOON) == expected


@pytest.mark.parametrize("line", ["61 * * * *", "* * 31 2 *", "now and then ok ?", ""])
def test_a_line_that_never_comes_is_no_schedule(line: str) -> None:
    assert problem(line)


def test_seconds_count_from_now() -> None:
    then = (datetime.now(UTC) + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    assert 30 < seconds_until(then) <= 60


def test_a_scheduled_task_waits_runs_and_waits_again(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], schedule="0 3 * * *")
    with opened(checkout, [whole(a_py="1\n"), whole(a_py="2\n")]) as house:
        house.work()
        assert house.state("t1") is State.QUEUED and house.model.requests == []
        assert not house.factory.queue.has_work()
        assert 0 < (house.factory.queue.next_due() or 0) <= 86_400
        for _ in range(2):
            arrive(house, "t1")
            house.work()
            assert house.state("t1") is State.DONE
        house.factory.queue.archive()
        assert house.factory.queue.records["t1"].due_at
    assert checkout.git("log", "--format=%s") == "do t1\ndo t1\nfirst"


def test_its_time_survives_a_restart_and_cancel_ends_it(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], schedule="0 3 * * *")
    with opened(checkout, [whole(a_py="1\n")]) as house:
        house.take_in()
        due_at = house.factory.queue.records["t1"].due_at
    with opened(checkout, [whole(a_py="1\n")]) as house:
        assert house.factory.queue.records["t1"].due_at == due_at
        arrive(house, "t1")
        house.work()
        requests.post(house.factory.layout, "cancel", "t1", {})
        house.take_in()
        house.factory.queue.archive()
        assert "t1" not in house.factory.queue.records
