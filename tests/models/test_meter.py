from __future__ import annotations

import dataclasses

import pytest

from aifactory.errors import BudgetExhausted, Cancelled, ModelPermanent, ModelTransient
from aifactory.model import Answer, Budget, Usage
from aifactory.models import Budgets, Meter, Request, estimate
from aifactory.settings import Price

PRICES = {"x": Price(prompt=0.0, completion=10.0)}  # a cent buys 1000 tokens of completion
ASKED = Request("c.1", "t1", "x", ({"role": "user", "content": "hello"},))
TASK = "task:t1"


def meter(budget: Budget) -> tuple[Meter, Budgets]:
    budgets = Budgets()
    return Meter(budgets, {TASK: budget}, PRICES), budgets


def test_without_a_limit_the_request_goes_as_it_is() -> None:
    paid, _ = meter(Budget())
    assert paid.before(ASKED) == ASKED


def test_the_longest_completion_is_what_the_money_buys() -> None:
    paid, budgets = meter(Budget(usd=0.05))
    assert paid.before(ASKED).parameters == {"max_tokens": 5000}
    assert budgets.balance(TASK).reserved.usd == pytest.approx(0.05)


def test_a_limit_of_tokens_holds_for_prompt_and_completion_together() -> None:
    paid, budgets = meter(Budget(tokens=1000))
    sent = paid.before(ASKED)
    assert 900 < sent.parameters["max_tokens"] < 1000
    assert budgets.balance(TASK).reserved.tokens == 1000


def test_a_limit_of_the_requests_own_is_only_lowered() -> None:
    paid, _ = meter(Budget(usd=0.05))
    short = dataclasses.replace(ASKED, parameters={"max_completion_tokens": 300})
    assert paid.before(short).parameters == {"max_completion_tokens": 300}


def test_the_wall_clock_is_what_is_left_of_the_seconds() -> None:
    paid, _ = meter(Budget(seconds=30))
    assert paid.before(ASKED).seconds == 30


ELSEWHERE = "https://models.example.org/v1"


@pytest.mark.parametrize("base", [None, ELSEWHERE])
def test_a_model_whose_price_nobody_knows_is_not_called(base: str | None) -> None:
    paid, budgets = meter(Budget())
    unknown = dataclasses.replace(ASKED, model="lab/dear", api_base=base)
    with pytest.raises(BudgetExhausted, match="the price of lab/dear is not known") as caught:
        paid.before(unknown)
    assert '"lab/dear" = { prompt = 1.0, completion = 2.0 }' in caught.value.next_step
    assert "0 if it is free" in caught.value.next_step
    assert budgets.balance(TASK).taken.tokens == 0


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("x", ELSEWHERE),
        ("openai/any", "http://127.0.0.1:8000/v1"),
        ("ollama/a-new-one", None),
        ("scripted/answers.json", None),
    ],
)
def test_the_owners_price_and_a_server_of_this_machine_will_do(model: str, base: str) -> None:
    paid, _ = meter(Budget())
    asked = dataclasses.replace(ASKED, model=model, api_base=base)
    assert paid.before(asked) == asked


def test_money_for_half_a_sentence_is_not_enough() -> None:
    paid, budgets = meter(Budget(usd=0.001))
    with pytest.raises(BudgetExhausted):
        paid.before(ASKED)
    assert budgets.balance(TASK).taken.usd == 0


def test_a_provider_that_counts_more_than_we_do_is_expected_to_do_so_again() -> None:
    paid, budgets = meter(Budget(tokens=100_000))
    sent = paid.before(ASKED)
    expected = estimate(sent).prompt
    paid.after(sent, Answer(text="", usage=Usage(prompt=10 * expected, completion=1)))
    again = paid.before(dataclasses.replace(ASKED, call_id="c.2", parameters={"max_tokens": 300}))
    assert budgets.balance(TASK).reserved.tokens == 10 * expected + 300
    assert again.parameters["max_tokens"] == 300


def test_what_is_left_must_pay_for_an_answer_like_the_last_ones() -> None:
    paid, budgets = meter(Budget(usd=0.05))
    paid.after(paid.before(ASKED), Answer(text="", usage=Usage(completion=3000), cost_usd=0.03))
    with pytest.raises(BudgetExhausted):  # 2000 tokens are left: it would be cut short
        paid.before(dataclasses.replace(ASKED, call_id="c.2"))
    assert budgets.balance(TASK).taken.usd == pytest.approx(0.03)


def test_a_model_that_does_not_keep_its_limit_is_paid_for_what_it_may_say() -> None:
    paid, budgets = meter(Budget(usd=1.0))
    short = dataclasses.replace(ASKED, parameters={"max_tokens": 300})
    paid.after(paid.before(short), Answer(text="", usage=Usage(completion=900), cost_usd=0.009))
    paid.before(dataclasses.replace(short, call_id="c.2"))
    assert budgets.balance(TASK).reserved.usd == pytest.approx(0.009)


def test_an_answer_is_settled_at_its_real_cost() -> None:
    paid, budgets = meter(Budget(usd=0.05))
    sent = paid.before(ASKED)
    paid.after(sent, Answer(text="", usage=Usage(prompt=3, completion=4), cost_usd=0.001))
    balance = budgets.balance(TASK)
    assert (balance.spent.usd, balance.spent.tokens, balance.reserved.usd) == (0.001, 7, 0)


@pytest.mark.parametrize("outcome", [ModelTransient("503"), ModelPermanent("400")])
def test_a_refused_call_costs_nothing(outcome: Exception) -> None:
    paid, budgets = meter(Budget(usd=0.05))
    paid.after(paid.before(ASKED), outcome)
    assert budgets.balance(TASK).taken.usd == 0


@pytest.mark.parametrize(
    "outcome",
    [ModelTransient("cut", in_doubt=True), Cancelled("cut", in_doubt=True), ZeroDivisionError()],
)
def test_a_call_that_broke_off_may_have_been_charged(outcome: Exception) -> None:
    paid, budgets = meter(Budget(usd=0.05))
    paid.after(paid.before(ASKED), outcome)
    doubtful = budgets.balance(TASK).doubtful
    assert doubtful.usd == pytest.approx(0.05)
    assert doubtful.seconds < 60, "how long it took is known"
