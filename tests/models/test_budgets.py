from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aifactory.errors import BudgetExhausted, Cancelled
from aifactory.model import Budget
from aifactory.models import Budgets, BudgetState, Spend

DOLLAR = {"task:t1": Budget(usd=1.0)}


def usd(amount: float) -> Spend:
    return Spend(usd=amount)


def test_what_is_reserved_counts_until_less_is_settled() -> None:
    budgets = Budgets()
    budgets.reserve("a", usd(0.9), DOLLAR)
    assert budgets.balance("task:t1").taken.usd == 0.9
    budgets.settle("a", usd(0.2))
    budgets.reserve("b", usd(0.8), DOLLAR)
    assert budgets.balance("task:t1").taken.usd == 1.0


def test_what_would_pass_a_limit_is_refused_with_the_numbers() -> None:
    budgets = Budgets()
    budgets.reserve("a", usd(0.9), DOLLAR)
    budgets.settle("a", usd(0.9))
    with pytest.raises(BudgetExhausted, match=r"task:t1: 0.9 of 1 usd are taken, .* take 0.2"):
        budgets.reserve("b", usd(0.2), DOLLAR)
    assert budgets.balance("task:t1").taken.usd == 0.9


@pytest.mark.parametrize("unit", ["usd", "tokens", "seconds"])
def test_every_unit_in_every_scope_is_a_limit(unit: str) -> None:
    limits = {"task:t1": Budget(usd=9, tokens=9, seconds=9), "day:2026-11-20": Budget(**{unit: 1})}
    with pytest.raises(BudgetExhausted, match=f"day:2026-11-20: 0 of 1 {unit}"):
        Budgets().reserve("a", Spend(**{unit: 2}), limits)


def test_ten_times_ten_cents_are_a_dollar() -> None:
    budgets = Budgets()
    for number in range(10):
        budgets.reserve(str(number), usd(0.1), DOLLAR)
        budgets.settle(str(number), usd(0.1))


def test_an_unknown_price_is_refused_under_a_limit_of_dollars_only() -> None:
    unknown = Spend(tokens=100, unpriced=100)
    with pytest.raises(BudgetExhausted) as caught:
        Budgets().reserve("a", unknown, DOLLAR)
    assert "[model.prices] in aifactory.toml" in caught.value.next_step
    Budgets().reserve("a", unknown, {"task:t1": Budget(tokens=100)})


def test_a_call_waits_for_the_money_of_another_one() -> None:
    budgets = Budgets()
    budgets.reserve("a", usd(0.9), DOLLAR)
    happened: list[str] = []

    def settle() -> None:
        happened.append("settled")
        budgets.settle("a", usd(0.1))

    settling = threading.Timer(0.2, settle)
    settling.start()
    budgets.reserve("b", usd(0.9), DOLLAR)
    happened.append("reserved")
    settling.join()
    assert happened == ["settled", "reserved"]


def test_a_stop_ends_the_wait_for_money() -> None:
    budgets, stop = Budgets(), threading.Event()
    stop.set()
    budgets.reserve("a", usd(0.9), DOLLAR)
    with pytest.raises(Cancelled):
        budgets.reserve("b", usd(0.9), DOLLAR, stop=stop)


def test_what_is_in_doubt_counts_until_it_is_known() -> None:
    budgets = Budgets()
    budgets.reserve("a", usd(0.9), DOLLAR)
    budgets.doubt("a", 1.0)
    with pytest.raises(BudgetExhausted):
        budgets.reserve("b", usd(0.2), DOLLAR)
    budgets.release("a")
    budgets.reserve("b", usd(0.2), DOLLAR)


def test_after_a_crash_open_calls_are_in_doubt_and_nothing_is_forgotten() -> None:
    before = Budgets()
    before.reserve("a", usd(0.5), DOLLAR)
    before.settle("a", usd(0.4))
    before.reserve("b", usd(0.3), DOLLAR)
    kept = before.state.model_dump_json()
    after = Budgets(BudgetState.model_validate_json(kept))
    balance = after.balance("task:t1")
    assert (balance.spent.usd, balance.doubtful.usd, balance.reserved.usd) == (0.4, 0.3, 0)
    after.settle("b", usd(0.25))
    assert after.balance("task:t1").taken.usd == pytest.approx(0.65)


def test_a_warning_comes_at_four_fifths() -> None:
    budgets = Budgets()
    for id, amount in (("a", 0.79), ("b", 0.01)):
        assert budgets.low(DOLLAR) == ()
        budgets.reserve(id, usd(amount), DOLLAR)
        budgets.settle(id, usd(amount))
    (low,) = budgets.low(DOLLAR)
    assert (low.scope, low.unit, low.limit) == ("task:t1", "usd", 1.0)


def test_a_scope_can_be_forgotten_and_the_others_stay() -> None:
    budgets = Budgets()
    budgets.reserve("a", usd(0.5), {**DOLLAR, "run:1": Budget()})
    budgets.settle("a", usd(0.5))
    budgets.reserve("b", usd(0.1), DOLLAR)
    budgets.doubt("b", 1.0)
    budgets.forget("task:t1")
    assert budgets.state.doubtful == {}
    assert budgets.balance("task:t1").spent.usd == 0
    assert budgets.balance("run:1").spent.usd == 0.5


def test_many_threads_never_spend_more_than_there_is() -> None:
    budgets = Budgets()

    def buy(number: int) -> bool:
        try:
            budgets.reserve(str(number), usd(0.2), DOLLAR)
        except BudgetExhausted:
            return False
        time.sleep(0.001)
        budgets.settle(str(number), usd(0.03))
        return True

    with ThreadPoolExecutor(8) as pool:
        bought = sum(pool.map(buy, range(50)))
    assert budgets.balance("task:t1").spent.usd <= 1.0
    assert bought == 27  # the 28th would start at 0.81, and may take 0.2


LIMITS = {"day:1": Budget(tokens=100), "run:1": Budget(tokens=150)}


class Ledgered(RuleBasedStateMachine):
    """Whatever happens in whatever order, a limit is never passed and nothing is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.budgets = Budgets()
        self.held: dict[str, int] = {}
        self.paid = self.made = 0

    @rule(tokens=st.integers(0, 60), day_only=st.booleans())
    def reserve(self, tokens: int, day_only: bool) -> None:
        stop = threading.Event()
        stop.set()
        limits = {"day:1": LIMITS["day:1"]} if day_only else LIMITS
        self.made += 1
        try:
            self.budgets.reserve(str(self.made), Spend(tokens=tokens), limits, stop=stop)
        except (BudgetExhausted, Cancelled):
            return
        self.held[str(self.made)] = tokens

    @rule(data=st.data(), how=st.sampled_from(["settle", "doubt", "release"]))
    def end(self, data: st.DataObject, how: str) -> None:
        if not self.held:
            return None
        id = data.draw(st.sampled_from(sorted(self.held)))
        if how == "doubt":
            return self.budgets.doubt(id, 1.0)
        tokens = self.held.pop(id)
        if how == "release":
            return self.budgets.release(id)
        self.paid += tokens
        return self.budgets.settle(id, Spend(tokens=tokens))

    @rule()
    def crash(self) -> None:
        kept = self.budgets.state.model_dump_json()
        self.budgets = Budgets(BudgetState.model_validate_json(kept))

    @invariant()
    def holds(self) -> None:
        balance = self.budgets.balance("day:1")
        assert balance.taken.tokens <= 100
        assert balance.spent.tokens == self.paid
        assert balance.taken.tokens == self.paid + sum(self.held.values())
        assert self.budgets.balance("run:1").taken.tokens <= 150


TestLedgered = Ledgered.TestCase
TestLedgered.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
