"""Whole calls: tries, fallbacks and money, over real HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aifactory.errors import (
    AifactoryError,
    BudgetExhausted,
    CredentialsMissing,
    ModelPermanent,
    ModelTransient,
)
from aifactory.model import Answer, Budget
from aifactory.models import Budgets, Gateway, Meter, Request, RetryPolicy, Terms
from aifactory.models.fake_provider import FakeProvider, Fault, Reply
from aifactory.settings import Price

QUICK = RetryPolicy(first_delay=0.01, longest_delay=0.02)
PRICES = {"openai/priced": Price(prompt=100.0, completion=1000.0)}
FAULTS: tuple[Fault, ...] = ("reset", "cut", "malformed")


def request(provider: FakeProvider, task_id: str, **more: Any) -> Request:
    message = {"role": "user", "content": f"TASK-ID: {task_id}"}
    fields = {"model": "openai/priced", "api_base": provider.api_base, **more}
    return Request(call_id=task_id, task_id=task_id, messages=(message,), **fields)


def test_a_call_survives_every_fault_in_turn(gateway: Gateway) -> None:
    faults = [*(Reply("no", fault=fault) for fault in FAULTS), Reply(status=503)]
    with FakeProvider({"t1": [*faults, Reply("yes")]}) as provider:
        assert gateway.complete(request(provider, "t1"), Terms(QUICK)).text == "yes"
        assert len(provider.seen) == 5


def test_the_provider_decides_how_long_to_wait(gateway: Gateway) -> None:
    replies = [Reply(status=429, retry_after="0.4"), Reply("yes")]
    with FakeProvider({"t1": replies}) as provider:
        gateway.complete(request(provider, "t1"), Terms(QUICK))
        first, second = (seen.at for seen in provider.seen)
        assert second - first >= 0.4


def test_a_scripted_fallback_answers_for_a_dead_server(gateway: Gateway) -> None:
    with FakeProvider({"t1": [Reply(status=500)]}) as provider:
        asked = request(provider, "t1")
        answer = gateway.complete(asked, Terms(QUICK, ["scripted/answers.json"]))
    assert (answer.text, answer.model) == ("scripted", "scripted/answers.json")


def test_the_owners_price_is_what_an_answer_costs(gateway: Gateway) -> None:
    with FakeProvider({"t1": [Reply("x", prompt_tokens=10, completion_tokens=5)]}) as provider:
        answer = gateway.complete(request(provider, "t1"))
    assert answer.cost_usd == pytest.approx(0.006)
    assert answer.cost_known


def test_an_unknown_price_stops_a_call_only_under_a_limit_of_dollars(gateway: Gateway) -> None:
    with FakeProvider({"t1": [Reply("x")]}) as provider:
        asked = request(provider, "t1", model="openai/unpriced")
        with pytest.raises(BudgetExhausted, match="price of the model is not known"):
            gateway.complete(asked, Terms(witness=Meter(Budgets(), {"run:1": Budget(usd=1)}, {})))
        assert provider.seen == []
        gateway.complete(
            asked, Terms(witness=Meter(Budgets(), {"run:1": Budget(tokens=50_000)}, {}))
        )


def test_eight_at_once_never_spend_more_than_the_dollar_they_share(gateway: Gateway) -> None:
    reply = Reply("x", prompt_tokens=100, completion_tokens=50)  # 6 cents a call
    budgets = Budgets()

    def ask(provider: FakeProvider, number: int) -> Answer | AifactoryError:
        meter = Meter(budgets, {"run:1": Budget(usd=1.0)}, PRICES)
        asked = request(provider, f"t{number}", parameters={"max_tokens": 300})
        try:
            return gateway.complete(asked, Terms(witness=meter))
        except AifactoryError as error:
            return error

    with (
        FakeProvider({f"t{n}": [reply] for n in range(50)}) as provider,
        ThreadPoolExecutor(8) as p,
    ):
        outcomes = list(p.map(lambda number: ask(provider, number), range(50)))
        served = len(provider.seen)
    answers = [one for one in outcomes if isinstance(one, Answer)]
    refused = [one for one in outcomes if isinstance(one, BudgetExhausted)]
    assert len(answers) == served
    assert len(answers) + len(refused) == 50
    assert budgets.balance("run:1").spent.usd == pytest.approx(0.06 * served)
    assert 0.6 < 0.06 * served <= 1.0
    assert budgets.balance("run:1").reserved.usd == 0


def test_a_check_tells_what_would_make_every_call_fail(gateway: Gateway, tmp_path: Path) -> None:
    with pytest.raises(CredentialsMissing, match="ANTHROPIC_API_KEY is not set"):
        gateway.check("anthropic/claude-sonnet-4-5", None)
    with pytest.raises(ModelPermanent):
        gateway.check("no-such-model", None)
    with pytest.raises(ModelPermanent, match=r"none\.json"):
        gateway.check("scripted/none.json", None)
    with pytest.raises(ModelTransient, match="cannot be reached"):
        gateway.check("x", "http://127.0.0.1:9/v1")


def test_a_check_is_content_with_what_works(gateway: Gateway) -> None:
    gateway.check("scripted/answers.json", None)
    with FakeProvider({}) as provider:
        gateway.check("any-name", provider.api_base)
        assert provider.seen == []
