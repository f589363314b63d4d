"""Where every budget stands, and who spent what."""

from __future__ import annotations

from aifactory.accounts import accounts, spending
from aifactory.model import Budget, Payment, Record, State, Usage, now
from aifactory.models import Budgets, Spend
from aifactory.settings import Budgets as Limits
from aifactory.settings import Ceiling


def today() -> str:
    """Asked for when a test runs: the whole suite may outlast a midnight."""
    return f"day:{now()[:10]}"


def used() -> Budgets:
    """A tenth spent, three in doubt, two reserved of a dollar."""
    budgets, limits = Budgets(), {today(): Budget(usd=1.0), "task:t1": Budget()}
    for id, usd in (("a", 0.1), ("b", 0.3), ("c", 0.2)):
        budgets.reserve(id, Spend(usd=usd), limits)
    budgets.settle("a", Spend(usd=0.1))
    budgets.doubt("b", 1.0)
    return budgets


def test_what_is_left_is_what_nothing_holds() -> None:
    day, task = accounts(used().state, Limits())
    assert [day.scope, task.scope] == [today(), "task:t1"]
    row = day.row()
    assert [row[name]["usd"] for name in ("spent", "reserved", "doubtful")] == [0.1, 0.2, 0.3]
    assert round(row["left"]["usd"], 9) == 0.4
    assert row["left"]["tokens"] is None
    (said,) = day.lines()
    assert said == (
        f"{today()}: $0.1000 of $1.00 spent, $0.2000 reserved, $0.3000 in doubt, $0.4000 left"
    )
    assert list(task.lines()) == [], "without a limit there is nothing to say"


def test_a_limit_shows_before_the_first_call() -> None:
    (day,) = accounts(Budgets().state, Limits(day=Ceiling(tokens=5000)))
    assert list(day.lines()) == [f"{today()}: 0 tokens of 5,000 tokens spent, 5,000 tokens left"]


def test_calls_are_summed_by_agent_model_and_day() -> None:
    def paid(task_id: str, agent: str, model: str) -> Record:
        one = Payment(
            day="2026-11-20", agent=agent, model=model, calls=2, usd=0.5, tokens=Usage(prompt=7)
        )
        return Record(task_id=task_id, state=State.DONE, payments=(one,))

    sums = spending([paid("t1", "coder", "a"), paid("t2", "coder", "b"), paid("t3", "fixer", "b")])
    assert {name: one["usd"] for name, one in sums["agent"].items()} == {"coder": 1.0, "fixer": 0.5}
    assert {name: one["calls"] for name, one in sums["model"].items()} == {"a": 2, "b": 4}
    assert sums["day"]["2026-11-20"]["tokens"] == {"prompt": 21, "completion": 0}
