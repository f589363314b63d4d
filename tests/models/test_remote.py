"""Calls through the model host, over real HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aifactory.errors import (
    AifactoryError,
    Cancelled,
    CredentialsMissing,
    ModelPermanent,
    ModelTransient,
    ModelUnknown,
)
from aifactory.model import Answer
from aifactory.models import Line, Request
from aifactory.models.fake_provider import FakeProvider, Reply
from aifactory.models.remote import Remote
from tests.patience import once, until

TEXT = "An answer that is long enough to come in more than one piece."
LONG = TEXT * 10
TOOL_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "read", "arguments": '{"path": "a.py"}'},
}
TRANSIENT_STATUS = ["408", "409", "429", "500", "502", "503", "504", "529"]
TRANSIENT = [*TRANSIENT_STATUS, "reset", "cut", "ended", "malformed", "empty"]
REPLIES = {
    "whole": [Reply(TEXT, prompt_tokens=11, completion_tokens=7)],
    "rule": [Reply("-" * 16 * 300)],
    "length": [Reply(TEXT, finish_reason="length")],
    "tools": [Reply(tool_calls=(TOOL_CALL,))],
    "uncounted": [Reply(TEXT, fault="no_usage")],
    "drip": [Reply(TEXT, fault="drip")],
    "long-drip": [Reply(LONG, fault="drip")],
    "hang": [Reply(fault="hang")],
    "busy": [Reply(status=429, retry_after="7")],
    "later": [Reply(status=503, retry_after="Fri, 01 Jan 2100 00:00:00 GMT")],
    **{str(status): [Reply(status=status)] for status in range(400, 600)},
    **{fault: [Reply(TEXT, fault=fault)] for fault in ("reset", "cut", "ended")},
    **{fault: [Reply(fault=fault)] for fault in ("malformed", "empty")},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(REPLIES) as served:
        yield served


def request(provider: FakeProvider, task_id: str, **more: Any) -> Request:
    fields = {
        "model": "openai/some-model",
        "api_base": provider.api_base,
        "seconds": 30,
        "messages": ({"role": "user", "content": f"TASK-ID: {task_id}"},),
        **more,
    }
    return Request(call_id=f"call-{time.monotonic_ns()}", task_id=task_id, **fields)


def failure(remote: Remote, asked: Request) -> AifactoryError:
    with pytest.raises(AifactoryError) as caught:
        remote.complete(asked)
    return caught.value


def test_a_whole_answer_comes_with_the_providers_own_count(
    remote: Remote, provider: FakeProvider
) -> None:
    answer = remote.complete(request(provider, "whole", parameters={"temperature": 0.5}))
    assert (answer.text, answer.finish_reason) == (TEXT, "stop")
    assert (answer.usage.prompt, answer.usage.completion) == (11, 7)
    assert answer.usage_known
    assert not answer.cost_known, "nobody knows the price of a model of one's own"
    sent = provider.seen[-1].body
    assert sent["temperature"] == 0.5
    assert sent["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("model", ["openai/x", "x", "some-lab/x"])
def test_any_name_works_with_an_api_base(
    remote: Remote, provider: FakeProvider, model: str
) -> None:
    answer = remote.complete(request(provider, "whole", model=model))
    assert answer.text == TEXT
    assert answer.model == model
    assert provider.seen[-1].body["model"] == model.removeprefix("openai/")


def test_a_finish_reason_comes_through_as_it_is(remote: Remote, provider: FakeProvider) -> None:
    assert remote.complete(request(provider, "length")).finish_reason == "length"


def test_an_answer_may_say_the_same_thing_many_times(
    remote: Remote, provider: FakeProvider
) -> None:
    assert remote.complete(request(provider, "rule")).text == "-" * 16 * 300


def test_tool_calls_come_through_whole(remote: Remote, provider: FakeProvider) -> None:
    tool = {"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}
    answer = remote.complete(request(provider, "tools", tools=(tool,)))
    assert answer.finish_reason == "tool_calls"
    assert answer.tool_calls[0]["function"] == TOOL_CALL["function"]
    assert provider.seen[-1].body["tools"] == [tool]


def test_an_answer_without_a_count_says_that_its_usage_is_an_estimate(
    remote: Remote, provider: FakeProvider
) -> None:
    answer = remote.complete(request(provider, "uncounted"))
    assert answer.text == TEXT
    assert answer.usage.completion > 0
    assert not answer.usage_known


@pytest.mark.parametrize("task_id", TRANSIENT)
def test_what_may_pass_is_transient(remote: Remote, provider: FakeProvider, task_id: str) -> None:
    assert type(failure(remote, request(provider, task_id))) is ModelTransient


def test_a_model_that_is_none_is_told_apart(remote: Remote, provider: FakeProvider) -> None:
    assert type(failure(remote, request(provider, "404"))) is ModelUnknown


@pytest.mark.parametrize("task_id", ["400", "402", "413", "422"])
def test_what_will_not_pass_is_permanent(
    remote: Remote, provider: FakeProvider, task_id: str
) -> None:
    assert type(failure(remote, request(provider, task_id))) is ModelPermanent


@pytest.mark.parametrize("task_id", ["401", "403"])
def test_a_key_that_is_refused_is_a_matter_of_credentials(
    remote: Remote, provider: FakeProvider, task_id: str
) -> None:
    assert type(failure(remote, request(provider, task_id))) is CredentialsMissing


def test_a_failed_call_is_sent_once_only(remote: Remote, provider: FakeProvider) -> None:
    before = len(provider.seen)
    failure(remote, request(provider, "500"))
    assert len(provider.seen) == before + 1


def test_the_providers_wish_to_wait_is_passed_on(remote: Remote, provider: FakeProvider) -> None:
    busy = failure(remote, request(provider, "busy"))
    assert isinstance(busy, ModelTransient)
    assert busy.retry_after == 7
    later = failure(remote, request(provider, "later"))
    assert isinstance(later, ModelTransient)
    assert later.retry_after is not None
    assert later.retry_after > 1e9


def test_a_missing_key_and_an_unknown_name_are_told_without_a_call(remote: Remote) -> None:
    message = ({"role": "user", "content": "x"},)
    for model in ("anthropic/claude-sonnet-4-5", "openai/gpt-4o", "gemini/gemini-2.5-pro"):
        keyless = Request("c1", "t1", model, message)
        assert type(failure(remote, keyless)) is CredentialsMissing
    assert type(failure(remote, Request("c2", "t1", "no-such-model", message))) is ModelUnknown


def test_an_unreachable_server_is_transient(remote: Remote) -> None:
    message = {"role": "user", "content": "x"}
    asked = Request("c1", "t1", "x", (message,), api_base="http://127.0.0.1:9/v1")
    error = failure(remote, asked)
    assert isinstance(error, ModelTransient)
    assert not error.in_doubt, "nothing was sent"


@pytest.mark.parametrize("task_id", ["reset", "cut", "ended", "malformed"])
def test_a_call_that_broke_off_under_way_may_have_been_charged(
    remote: Remote, provider: FakeProvider, task_id: str
) -> None:
    error = failure(remote, request(provider, task_id))
    assert isinstance(error, ModelTransient)
    assert error.in_doubt


@pytest.mark.parametrize("task_id", ["429", "500", "503"])
def test_a_call_that_was_refused_was_not_charged(
    remote: Remote, provider: FakeProvider, task_id: str
) -> None:
    error = failure(remote, request(provider, task_id))
    assert isinstance(error, ModelTransient)
    assert not error.in_doubt


def test_a_prompt_that_is_too_long_for_its_model_is_not_sent(
    remote: Remote, provider: FakeProvider
) -> None:
    before = len(provider.seen)
    long = ({"role": "user", "content": "word " * 10_000},)
    asked = request(provider, "whole", model="openai/gpt-4", messages=long)
    error = failure(remote, asked)
    assert type(error) is ModelPermanent
    assert "openai/gpt-4 takes 8192" in error.message
    assert len(provider.seen) == before


def test_silence_is_cut_at_the_stall_limit_and_the_connection_closed(
    remote: Remote, provider: FakeProvider
) -> None:
    remote.complete(request(provider, "whole"))  # a first call of all takes long by itself
    error = failure(remote, request(provider, "hang", seconds=600, stall_seconds=1))
    assert type(error) is ModelTransient
    assert "no token for 1 s" in error.message
    until(lambda: hung_up(provider, "hang"))


def test_a_slow_drip_is_cut_at_the_wall_clock(remote: Remote, provider: FakeProvider) -> None:
    heard: list[int] = []
    with pytest.raises(ModelTransient, match="no whole answer after 3 s"):
        remote.complete(request(provider, "long-drip", seconds=3), Line(progress=heard.append))
    assert heard == sorted(heard)
    assert 0 < heard[-1] < len(LONG)
    until(lambda: hung_up(provider, "long-drip"))


def test_a_stopped_call_is_cancelled_at_once(remote: Remote, provider: FakeProvider) -> None:
    stop, before = threading.Event(), len(provider.seen)
    with once(lambda: len(provider.seen) > before, stop.set), pytest.raises(Cancelled):
        remote.complete(request(provider, "hang", seconds=600), Line(stop))
    until(lambda: hung_up(provider, "hang"))


def hung_up(provider: FakeProvider, task_id: str) -> bool:
    """Whether the client has left the last request of a task."""
    last = [seen for seen in provider.seen if seen.task_id == task_id][-1:]
    return any(seen.hung_up.is_set() for seen in last)


def test_calls_run_side_by_side(remote: Remote, provider: FakeProvider) -> None:
    before, ended = len(provider.seen), []

    def ask(number: int) -> Answer:
        answer = remote.complete(request(provider, "drip", parameters={"seed": number}))
        ended.append(time.monotonic())
        return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {answer.text for answer in answers} == {TEXT}
    assert max(seen.at for seen in provider.seen[before:]) < min(ended)
