"""What runs next: dependency, then priority, then age; and what is never waited for in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory.model import State
from aifactory.queue import admission
from tests.conftest import Checkout
from tests.house import drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture


def test_lower_priority_numbers_go_first_then_age(checkout: Checkout) -> None:
    for name, priority in (("late", 20), ("first", 1), ("middle", 10)):
        drop(checkout, name, priority=priority)
    with opened(checkout) as house:
        house.take_in()
        assert house.factory.queue.runnable() == ["first", "middle", "late"]


def test_a_task_waits_for_its_dependency_and_says_so(checkout: Checkout) -> None:
    drop(checkout, "second", depends_on=["first"], files=["b.py"])
    drop(checkout, "first", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n"), whole(b_py="b\n")]) as house:
        house.take_in()
        assert house.factory.queue.runnable() == ["first"]
        record = house.factory.queue.record("second")
        assert record and record.state is State.BLOCKED and "first" in record.reason
        house.work()
        assert house.state("second") is State.DONE


def test_cycles_and_missing_dependencies_are_told(checkout: Checkout) -> None:
    drop(checkout, "a", depends_on=["b"])
    drop(checkout, "b", depends_on=["a"])
    drop(checkout, "c", depends_on=["nowhere"])
    with opened(checkout) as house:
        house.take_in()
        assert house.factory.queue.runnable() == []
        reasons = {r.task_id: r.reason for r in house.factory.queue.in_state(State.BLOCKED)}
        assert "a -> b -> a" in reasons["a"]
        assert "nowhere" in reasons["c"]


def test_what_depends_on_a_failed_task_says_which(checkout: Checkout) -> None:
    drop(checkout, "first", files=["a.py"], max_attempts=1)
    drop(checkout, "second", depends_on=["first"])
    with opened(checkout, ["prose"]) as house:
        house.work()
        record = house.factory.queue.record("second")
        assert record and record.state is State.BLOCKED
        assert "first" in record.reason and "failed" in record.reason


def test_a_file_that_says_completed_is_no_work_but_may_be_depended_on(checkout: Checkout) -> None:
    drop(checkout, "old", status="completed")
    drop(checkout, "new", depends_on=["old"], files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
        assert house.factory.queue.record("old") is None
        assert house.state("new") is State.DONE


def test_open_tasks_and_their_order_survive_a_restart(checkout: Checkout) -> None:
    paths: list[Path] = [drop(checkout, name, priority=n) for n, name in enumerate("ab")]
    with opened(checkout) as house:
        house.take_in()
    for path in paths:
        path.unlink()
    with opened(checkout) as house:
        house.take_in()
        assert house.factory.queue.runnable() == ["a", "b"]


def test_what_there_is_no_room_for_waits_in_the_inbox(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MOST_OPEN", 2)
    for name in ("a", "b", "c"):
        drop(checkout, name, files=[f"{name}.py"], depends_on=["z"])
    drop(checkout, "z", files=["z.py"])
    answers = [whole(**{f"{name}_py": "x\n"}) for name in ("z", "a", "b", "c")]
    with opened(checkout, answers) as house:
        house.take_in()
        assert set(house.factory.queue.records) == {"z", "a"}, "what others need comes first"
        house.take_in()
        told = [event.data for event in house.events if event.name == "inbox.full"]
        assert [one["problems"] for one in told] == ["2 tasks are open; 2 more wait in tasks/"]
        house.work()
        assert house.factory.queue.has_room() and house.factory.queue.has_work()
        house.work()
        house.work()
        assert {house.state(name) for name in "abcz"} == {State.DONE}
        assert not house.factory.queue.has_work()


def test_a_full_house_still_hears_of_tasks_it_knows(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MOST_OPEN", 1)
    drop(checkout, "a")
    with opened(checkout) as house:
        house.take_in()
        drop(checkout, "a", description="something else")
        house.take_in()
        assert [event.name for event in house.events][-1] == "file.refused"
