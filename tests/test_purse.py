"""What is spent is remembered, whatever ends the daemon; what is over is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory.config import parse
from aifactory.errors import BudgetExhausted, EnvironmentUnusable, ModelTransient
from aifactory.model import Answer, Budget, Payment, Task, Usage, now
from aifactory.models.spend import Spend
from aifactory.purse import Purse, limits, tightest

LIMITS = {"task:t1": Budget(usd=1.0)}


def spent(purse: Purse, scope: str) -> float:
    return purse.budgets.balance(scope).taken.usd


def test_the_tightest_of_each_unit_counts() -> None:
    assert tightest(Budget(usd=2, tokens=5), Budget(usd=1), Budget()) == Budget(usd=1, tokens=5)


def test_a_call_has_to_keep_the_limits_of_task_agent_day_and_run() -> None:
    config = parse(b"[budget.day]\nusd = 9.0\n[budget.task]\nusd = 2.0\n")
    task = Task(task_id="t1", description="d", budget=Budget(usd=1.0))
    kept = limits(config, task, "coder", Budget(tokens=7), "r1")
    assert kept["task:t1"] == Budget(usd=1.0, tokens=7)
    assert kept[f"day:{now()[:10]}"].usd == 9.0
    assert {"agent:coder", "run:r1"} <= kept.keys()


def test_money_put_aside_is_still_gone_after_a_crash(tmp_path: Path) -> None:
    purse = Purse(tmp_path / "budgets.json")
    purse.budgets.reserve("t1/1/r1.1", Spend(usd=0.75), LIMITS)
    purse.save()
    again = Purse(tmp_path / "budgets.json")
    assert spent(again, "task:t1") == 0.75
    with pytest.raises(BudgetExhausted):
        again.budgets.reserve("t1/2/r2.1", Spend(usd=0.5), LIMITS)


def test_a_recorded_answer_settles_what_it_really_took(tmp_path: Path) -> None:
    purse = Purse(tmp_path / "budgets.json")
    purse.budgets.reserve("t1/1/r1.1", Spend(usd=0.75), LIMITS)
    purse.save()
    answer = Answer(text="a", cost_usd=0.25, usage=Usage(prompt=1, completion=1))
    again = Purse(tmp_path / "budgets.json")
    again.settle(lambda task, name: answer.model_dump_json().encode())
    assert spent(again, "task:t1") == 0.25


def test_what_is_over_is_forgotten_what_is_open_is_kept(tmp_path: Path) -> None:
    purse = Purse(tmp_path / "budgets.json")
    scopes = {name: Budget() for name in ("task:t1", "task:t2", "run:old", "day:1999-01-01")}
    purse.budgets.reserve("c", Spend(usd=1), scopes)
    purse.budgets.settle("c", Spend(usd=1))
    purse.tidy("new", {"t1"})
    assert purse.budgets.state.spent.keys() == {"task:t1"}


def test_a_lost_file_is_made_again_from_the_ledger(tmp_path: Path) -> None:
    one = Payment(day="2026-11-20", agent="coder", model="m", calls=1, usd=0.25)
    purse = Purse(tmp_path / "budgets.json", lambda: {"t1": (one,), "t2": (one,)})
    assert spent(purse, "task:t1") == 0.25
    assert spent(purse, "day:2026-11-20") == spent(purse, "agent:coder") == 0.5


def doubtful(path: Path, *scopes: str) -> Purse:
    """A purse whose daemon was killed during a call of half a dollar."""
    purse = Purse(path)
    purse.budgets.reserve("t1/1/r1.1", Spend(usd=0.5), dict.fromkeys(scopes, Budget()))
    purse.save()
    return Purse(path)


def test_a_person_says_what_a_call_in_doubt_cost(tmp_path: Path) -> None:
    purse = doubtful(tmp_path / "budgets.json", "task:t1")
    purse.free("t1/1/r1.1", 0.1)
    purse.free("t1/1/r1.1", 0.1)
    assert spent(purse, "task:t1") == spent(Purse(tmp_path / "budgets.json"), "task:t1") == 0.1


def test_doubt_that_outlives_its_day_counts_as_spent(tmp_path: Path) -> None:
    purse = doubtful(tmp_path / "budgets.json", "agent:coder", "day:1999-01-01")
    purse.tidy("r2", ())
    assert purse.budgets.balance("agent:coder").spent.usd == 0.5
    assert purse.budgets.state.spent.keys() == {"agent:coder"}


def test_doubt_of_today_stays_in_doubt(tmp_path: Path) -> None:
    purse = doubtful(tmp_path / "budgets.json", "task:t1", f"day:{now()[:10]}")
    purse.tidy("r2", ())
    assert spent(purse, f"day:{now()[:10]}") == 0.5
    assert list(purse.budgets.state.doubtful) == ["t1/1/r1.1"]


def test_a_file_that_cannot_be_read_stops_the_work(tmp_path: Path) -> None:
    (tmp_path / "budgets.json").write_text("{")
    with pytest.raises(EnvironmentUnusable, match="what was spent"):
        Purse(tmp_path / "budgets.json")


@pytest.fixture
def day() -> dict[str, Budget]:
    """A limit of today, asked for when the test runs: the whole suite may outlast a midnight."""
    return {f"day:{now()[:10]}": Budget(usd=1.0)}


def two(tmp_path: Path) -> tuple[Purse, Purse]:
    """The purses of a repository and of its fork, each in a process of its own."""
    paths = [tmp_path / "budgets.json", tmp_path / "fork.json"]
    one, other = (Purse(path, beside=lambda: paths) for path in paths)
    return one, other


def test_what_a_fork_puts_aside_and_spends_is_gone_from_the_day(
    tmp_path: Path, day: dict[str, Budget]
) -> None:
    purse, fork = two(tmp_path)
    fork.budgets.reserve("f.1", Spend(usd=0.75), day)
    fork.save()
    with pytest.raises(BudgetExhausted, match=r"0\.75 of 1 usd are taken"):
        purse.budgets.reserve("t1.1", Spend(usd=0.5), day)
    fork.budgets.settle("f.1", Spend(usd=0.25))
    fork.save()
    purse.budgets.reserve("t1.1", Spend(usd=0.5), day)
    purse.save()
    with pytest.raises(BudgetExhausted):
        fork.budgets.reserve("f.2", Spend(usd=0.5), day)


def test_of_two_that_reserve_at_once_one_gives_back(tmp_path: Path, day: dict[str, Budget]) -> None:
    purse, fork = two(tmp_path)
    for one, id in ((purse, "t1.1"), (fork, "f.1")):
        one.budgets.reserve(id, Spend(usd=0.75), day)
    for one in (purse, fork):
        one.save()
    with pytest.raises(ModelTransient, match="at the same time"):
        fork.budgets.confirm(day)
    fork.budgets.release("f.1")
    fork.save()
    purse.budgets.confirm(day)


def test_a_fork_does_not_pay_from_the_budget_of_a_task(tmp_path: Path) -> None:
    purse, fork = two(tmp_path)
    fork.budgets.reserve("f.1", Spend(usd=1.0), LIMITS)
    fork.save()
    purse.budgets.reserve("t1.1", Spend(usd=1.0), LIMITS)
