from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory.model import Usage
from aifactory.models import Request, estimate, facts, price
from aifactory.models.prices import bounded
from aifactory.settings import Price

MILLION = Usage(prompt=1_000_000, completion=1_000_000)


def request(content: str, **more: object) -> Request:
    return Request("c", "t1", "openai/x", ({"role": "user", "content": content},), more)


@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4o"])
def test_a_listed_model_is_found_with_and_without_its_provider(model: str) -> None:
    assert price(model, MILLION, {}) == pytest.approx(2.5 + 10.0)
    assert facts(model).window == 128_000


def test_the_dearest_ordinary_tariff_counts() -> None:
    """To keep a prompt in its cache for an hour, this model asks for twice its price."""
    assert price("anthropic/claude-sonnet-4-5", Usage(prompt=1_000_000), {}) == pytest.approx(6.0)


@pytest.mark.parametrize("model", ["openai/x", "x", "lab/gpt-4o", "azure/container"])
def test_a_price_that_nobody_gave_is_unknown_and_not_zero(model: str) -> None:
    assert price(model, MILLION, {}) is None


def test_the_owners_price_goes_before_the_list() -> None:
    mine = {"gpt-4o": Price(prompt=1.0, completion=0.0), "x": Price(prompt=0.0, completion=0.0)}
    assert price("gpt-4o", MILLION, mine) == 1.0
    assert price("x", MILLION, mine) == 0.0


def test_scripted_answers_cost_nothing() -> None:
    assert price("scripted/answers.json", MILLION, {}) == 0.0


@given(st.text())
def test_an_estimate_is_above_a_count_of_four_characters_a_token(content: str) -> None:
    asked = request(content)
    assert estimate(asked).prompt >= len(json.dumps(asked.messages, ensure_ascii=False)) / 4


def test_the_longest_completion_is_the_requests_else_the_models_else_a_usual_one() -> None:
    assert estimate(request("x", max_tokens=7)).completion == 7
    assert estimate(request("x", max_completion_tokens=8)).completion == 8
    assert estimate(Request("c", "t", "gpt-4", ())).completion == 4096
    assert estimate(request("x")).completion == 16_384


def test_a_bounded_request_tells_the_provider_what_was_reserved() -> None:
    assert bounded(request("x", temperature=1)).parameters == {
        "temperature": 1,
        "max_tokens": 16_384,
    }
    assert bounded(request("x", max_completion_tokens=8)).parameters == {"max_completion_tokens": 8}
