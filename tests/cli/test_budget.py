"""`aifactory budget`: calls in doubt are seen, and freed by a person."""

from __future__ import annotations

import pytest

from aifactory.model import Budget, State, now
from aifactory.models import Spend
from aifactory.purse import Purse
from tests.cli.conftest import Shop

CALL = "t1/1/r1.1"


@pytest.fixture
def day() -> str:
    """Today, asked for when the test runs: the whole suite may outlast a midnight."""
    return f"day:{now()[:10]}"


@pytest.fixture
def killed(shop: Shop, day: str) -> Shop:
    """The daemon was killed during a call that half a dollar was put aside for."""
    shop.put("t1", State.QUEUED)
    shop.layout.state.mkdir(exist_ok=True)
    purse = Purse(shop.layout.budgets)
    purse.budgets.reserve(CALL, Spend(usd=0.5), {day: Budget(usd=1.0), "task:t1": Budget()})
    purse.save()
    return shop


def test_where_there_is_nothing_it_says_so(shop: Shop) -> None:
    assert shop.run("budget").out == "No budget is set and nothing was spent.\n"


def test_a_call_in_doubt_is_seen_everywhere(killed: Shop, day: str) -> None:
    said = f"{day}: $0.00 of $1.00 spent, $0.5000 in doubt, $0.5000 left"
    for command in ("budget", "status", "report"):
        assert said in killed.run(*command.split()).out
    row = killed.run("budget", "--json").json
    assert [one["id"] for one in row["in_doubt"]] == [CALL]
    assert killed.run("status", "--json").json["budgets"][0]["left"]["usd"] == 0.5


def test_freed_money_can_be_spent_again(killed: Shop, day: str) -> None:
    assert killed.run("budget", "free", CALL, "--dry-run").out == "1 calls are in doubt\n"
    assert killed.run("budget", "free", CALL, "--usd", "0.125").code == 0
    said = killed.run("budget").out
    assert f"{day}: $0.1250 of $1.00 spent, $0.8750 left" in said and CALL not in said
    assert "budget.freed" in killed.run("logs", "t1", "--json").out


def test_only_what_is_in_doubt_can_be_freed(killed: Shop) -> None:
    done = killed.run("budget", "free", "t9/1/r1.1")
    assert done.code == 2 and "`aifactory budget` lists them" in done.err
