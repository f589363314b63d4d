"""Which task goes next, and why the others wait."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory.model import Task
from aifactory.order import order


def task(task_id: str, *needs: str, priority: int = 10, created_at: str | None = None) -> Task:
    return Task(
        task_id=task_id,
        description="d",
        depends_on=needs,
        priority=priority,
        created_at=created_at,
    )


def ids(tasks: list[Task]) -> list[str]:
    return [one.task_id for one in tasks]


def test_priority_then_age_then_id() -> None:
    tasks = [
        task("z", priority=1),
        task("late", created_at="2024-02-01T00:00:00.000000Z"),
        task("early", created_at="2024-01-01T00:00:00.000000Z"),
        task("b"),
        task("a"),
        task("seen"),
    ]
    ready, blocked = order(tasks, set(), set(), ages={"seen": "2024-01-15T00:00:00.000000Z"})
    assert ids(ready) == ["z", "early", "seen", "late", "a", "b"]
    assert blocked == {}


def test_dependencies_come_first() -> None:
    tasks = [task("b", "a", priority=0), task("a"), task("c", "old")]
    ready, blocked = order(tasks, {"old"}, set())
    assert ids(ready) == ["a", "c"]
    assert blocked == {"b": "waits for `a`"}


def test_running_elsewhere_is_waited_for() -> None:
    assert order([task("b", "a")], set(), {"a"})[1] == {"b": "waits for `a`"}


def test_closed_before_counts_as_done_and_is_no_work() -> None:
    old = task("a").model_copy(update={"closed_before": True})
    ready, blocked = order([old, task("b", "a")], set(), set())
    assert (ids(ready), blocked) == (["b"], {})


def test_missing_is_named_with_the_nearest() -> None:
    _, blocked = order([task("b", "parse"), task("parser")], set(), set())
    assert blocked == {"b": "depends on `parse`, which does not exist (did you mean `parser`?)"}
    _, blocked = order([task("b", "q")], set(), {"other"})
    assert blocked == {"b": "depends on `q`, which does not exist"}


def test_failed_dependency_is_told() -> None:
    _, blocked = order([task("b", "a")], set(), set(), failed={"a"})
    assert blocked == {"b": "depends on `a`, which failed or was cancelled"}


@pytest.mark.parametrize(
    ("tasks", "cycles"),
    [
        ([task("a", "a")], {"a": "a -> a"}),
        ([task("a", "b"), task("b", "a")], {"a": "a -> b -> a", "b": "b -> a -> b"}),
        (
            [task("a", "b"), task("b", "c"), task("c", "a", "x"), task("x")],
            {"a": "a -> b -> c -> a", "b": "b -> c -> a -> b", "c": "c -> a -> b -> c"},
        ),
        (
            [task("a", "b"), task("b", "a", "c"), task("c", "d"), task("d", "c")],
            {"a": "a -> b -> a", "b": "b -> a -> b", "c": "c -> d -> c", "d": "d -> c -> d"},
        ),
    ],
)
def test_cycles_are_written_out(tasks: list[Task], cycles: dict[str, str]) -> None:
    ready, blocked = order(tasks, set(), set())
    assert {k: v.removeprefix("is in a cycle: ") for k, v in blocked.items()} == cycles
    assert len(ready) + len(blocked) == len(tasks)


def test_waiting_for_a_cycle_is_no_cycle() -> None:
    _, blocked = order([task("a", "b"), task("b", "a"), task("c", "a")], set(), set())
    assert blocked["c"] == "waits for `a`"


@pytest.mark.parametrize("last", ["t0", "missing"], ids=["ring", "chain"])
def test_two_thousand_in_a_row(last: str) -> None:
    tasks = [task(f"t{n}", f"t{n + 1}") for n in range(1999)] + [task("t1999", last)]
    start = time.process_time()
    ready, blocked = order(tasks, set(), set())
    assert time.process_time() - start < 2
    assert not ready and len(blocked) == 2000
    assert max(map(len, blocked.values())) < 200


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefg"), max_size=3), max_size=6
    ),
    st.sets(st.sampled_from("abcdefg")),
)
def test_running_what_is_ready_ends_or_says_why(
    needs: dict[str, list[str]], done: set[str]
) -> None:
    tasks = [task(name, *wanted) for name, wanted in needs.items()]
    finished = set(done)
    while True:
        ready, blocked = order(tasks, finished, set())
        assert {*ids(ready), *blocked} == set(needs) - finished
        assert all(set(one.depends_on) <= finished for one in ready)
        if not ready:
            break
        finished.add(ready[0].task_id)
    hopeless = ("is in a cycle", "depends on")
    assert not blocked or any(reason.startswith(hopeless) for reason in blocked.values())
