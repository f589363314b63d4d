"""Tries, fallbacks and their witness, on a clock that only moves when somebody sleeps."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from aifactory.errors import BudgetExhausted, Cancelled, ModelPermanent, ModelTransient
from aifactory.model import Answer
from aifactory.models.fake import FakeModel, Outcome
from aifactory.models.persistence import Clock, Persistence, Terms, routes
from aifactory.models.request import Line, Request
from aifactory.models.retry import Breaker, RetryPolicy

DOWN = ModelTransient("down")
ASKED = Request("c", "t1", "lab/main", ())


class StillClock(Clock):
    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float, stop: threading.Event) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def luck(self) -> float:
        return 0.0


@dataclass
class Notes:
    """A witness that writes everything down."""

    heard: list[tuple[str, str, str]] = field(default_factory=list)
    poor: bool = False

    def before(self, request: Request) -> Request:
        if self.poor:
            raise BudgetExhausted("no money")
        self.heard.append(("before", request.call_id, request.model))
        return request

    def after(self, request: Request, outcome: Answer | BaseException) -> None:
        self.heard.append(("after", request.call_id, type(outcome).__name__))


def persist(outcomes: Sequence[Outcome], **more: Any) -> Persistence:
    own = {name: more.pop(name) for name in ("breaker", "clock", "prepare") if name in more}
    parts = {"breaker": Breaker(), "clock": StillClock(), **own}
    return Persistence(FakeModel(outcomes), terms=Terms(**{"witness": Notes(), **more}), **parts)


def asked(call: Persistence) -> list[str]:
    assert isinstance(call.model, FakeModel)
    return [request.model for request in call.model.requests]


def slept(call: Persistence) -> list[float]:
    assert isinstance(call.clock, StillClock)
    return call.clock.slept


def test_a_failure_that_passes_is_tried_again() -> None:
    call = persist([DOWN, DOWN, "hello"])
    assert call.complete([ASKED]).text == "hello"
    assert slept(call) == [0.5, 1.0]


def test_a_pause_is_told_with_its_reason() -> None:
    told: list[tuple[float, str]] = []
    call = persist([DOWN, "hello"], waiting=lambda seconds, why: told.append((seconds, why)))
    call.complete([ASKED])
    assert told == [(0.5, "down")]


def test_nothing_is_sent_once_it_is_stopped() -> None:
    stop = threading.Event()
    stop.set()
    call = persist(["hello"], line=Line(stop))
    with pytest.raises(Cancelled):
        call.complete([ASKED])
    assert asked(call) == []


def test_every_try_is_told_before_and_after_under_its_own_id() -> None:
    notes = Notes()
    persist([DOWN, "hello"], witness=notes).complete([ASKED])
    assert notes.heard == [
        ("before", "c.1", "lab/main"),
        ("after", "c.1", "ModelTransient"),
        ("before", "c.2", "lab/main"),
        ("after", "c.2", "Answer"),
    ]


def test_nothing_is_sent_when_the_witness_refuses() -> None:
    call = persist(["hello"], witness=Notes(poor=True))
    with pytest.raises(BudgetExhausted):
        call.complete([ASKED])
    assert asked(call) == []


def test_no_money_is_put_aside_before_the_model_can_be_asked() -> None:
    notes = Notes()

    def prepare(request: Request, terms: Terms) -> None:
        notes.heard.append(("prepared", request.call_id, request.model))

    persist(["hello"], witness=notes, prepare=prepare).complete([ASKED])
    assert [name for name, *_ in notes.heard] == ["prepared", "before", "after"]


def test_it_gives_up_after_the_last_try_and_says_so() -> None:
    call = persist([DOWN], policy=RetryPolicy(tries=3))
    with pytest.raises(ModelTransient, match=r"down \(given up after 3 tries\)"):
        call.complete([ASKED])
    assert len(asked(call)) == 3


def test_no_try_starts_after_the_time_is_over() -> None:
    busy = ModelTransient("busy", retry_after=500)
    call = persist([busy], policy=RetryPolicy(tries=99, seconds=900))
    with pytest.raises(ModelTransient) as caught:
        call.complete([ASKED])
    assert (slept(call), len(asked(call))) == ([500], 2)
    assert caught.value.retry_after == 500


def test_a_permanent_failure_is_not_tried_again() -> None:
    call = persist([ModelPermanent("no such model"), "hello"])
    with pytest.raises(ModelPermanent):
        call.complete([ASKED])
    assert len(asked(call)) == 1


def test_a_fallback_answers_when_the_first_model_does_not() -> None:
    call = persist([DOWN, DOWN, "hello"])
    assert call.complete(routes(ASKED, ["other/spare"])).model == "other/spare"
    assert asked(call) == ["lab/main", "lab/main", "other/spare"]


def test_a_provider_that_is_left_alone_is_passed_over_for_a_fallback() -> None:
    breaker = Breaker(failures=1)
    breaker.failed("lab", 0)
    call = persist(["hello"], breaker=breaker)
    assert call.complete(routes(ASKED, ["other/spare"])).model == "other/spare"
    assert slept(call) == []


def test_without_a_fallback_the_pause_is_waited_out() -> None:
    breaker = Breaker(failures=1, first_pause=15)
    breaker.failed("lab", 0)
    call = persist(["hello"], breaker=breaker)
    assert call.complete([ASKED]).text == "hello"
    assert slept(call) == [15]


def test_a_stop_ends_the_wait_for_another_try() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    call = persist([ModelTransient("busy", retry_after=60)], line=Line(stop), clock=Clock())
    with pytest.raises(Cancelled):
        call.complete([ASKED])


def test_the_address_of_a_server_is_kept_for_models_of_the_same_provider() -> None:
    request = Request("c", "t1", "openai/a", (), api_base="http://127.0.0.1:1/v1")
    _, same, bare, other, scripted = routes(
        request, ["openai/b", "b", "anthropic/claude", "scripted/answers.json"]
    )
    assert same.api_base == bare.api_base == request.api_base
    assert other.api_base is scripted.api_base is None
