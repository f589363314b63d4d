"""What a batch will take, from what tasks took before."""

from __future__ import annotations

from typing import Any

from aifactory.forecast import Planned, plan, total_usd, wall_seconds
from aifactory.model import Record, State


def record(task_id: str, state: State = State.QUEUED, **fields: Any) -> Record:
    return Record(task_id=task_id, state=state, created_at=task_id, **fields)


def done(task_id: str, agent: str, usd: float, seconds: float) -> Record:
    return record(task_id, State.DONE, agent=agent, cost_usd=usd, seconds=seconds, calls=1)


HISTORY = [done("a", "coder", 0.1, 10), done("b", "coder", 0.3, 30), done("c", "tester", 1.0, 60)]


def starts(planned: list[Planned]) -> dict[str, float | None]:
    return {one.task_id: one.starts_at for one in planned}


def test_a_task_takes_what_its_agent_took_on_average() -> None:
    (one,) = plan([*HISTORY, record("x", agent="coder")], "coder", 1)
    assert (one.usd, one.seconds, one.starts_at) == (0.2, 20, 0.0)


def test_an_agent_without_history_is_taken_for_an_average_one() -> None:
    (one,) = plan([*HISTORY, record("x", agent="planner")], "coder", 1)
    assert one.seconds == 100 / 3


def test_nothing_is_guessed_where_nothing_ran_before() -> None:
    (one,) = plan([record("x")], "coder", 1)
    assert (one.agent, one.usd, one.seconds) == ("coder", None, None)


def test_tasks_start_in_order_as_soon_as_somebody_is_free() -> None:
    waiting = [record(name, priority=n) for n, name in enumerate("xyz")]
    assert starts(plan([*HISTORY, *waiting], "coder", 2)) == {"x": 0, "y": 0, "z": 20}
    assert wall_seconds(plan([*HISTORY, *waiting], "coder", 2)) == 40
    assert round(total_usd(plan([*HISTORY, *waiting], "coder", 2)), 9) == 0.6


def test_a_task_starts_after_what_it_needs() -> None:
    waiting = [record("x", depends_on=("y",)), record("y"), record("z", depends_on=("a",))]
    assert starts(plan([*HISTORY, *waiting], "coder", 4)) == {"y": 0, "z": 0, "x": 20}


def test_what_would_not_run_says_why_and_costs_nothing() -> None:
    lost = record("lost", State.FAILED)
    *_, one = plan([*HISTORY, lost, record("x", depends_on=("lost",))], "coder", 4)
    assert one.starts_at is None and one.usd == 0
    assert "`lost`, which failed" in one.reason
