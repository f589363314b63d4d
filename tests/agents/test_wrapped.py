"""A wrapped program in a real cage: what it may reach, what ends it, what is made of its work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aifactory.agents import find
from aifactory.errors import AifactoryError, BudgetExhausted, ModelPermanent, ModelTransient
from aifactory.model import Answer, FailureClass, State
from aifactory.models import calling
from aifactory.prompts import BrokenPrompt, Prompts
from aifactory.replay import replay
from aifactory.sandbox import choose
from tests.conftest import Checkout
from tests.house import House, drop, opened

AGENT = """---
kind: wrapped
commands: ["worker {prompt} {files}"]
environment: {MOOD: good}
droppings: [".worker*"]
steps: 4
seconds: 90
---
{{ task.description }}
"""
# What every worker can do: ask a model, in any dialect.
COMMON = """#!/usr/bin/python3
import json, os, pathlib, subprocess, sys, urllib.error, urllib.request
text = pathlib.Path(sys.argv[1]).read_text()
base = os.environ["OPENAI_BASE_URL"]
def post(path, body, base=base):
    head = {"Content-Type": "application/json"}
    asked = urllib.request.Request(base + path, json.dumps(body).encode(), head)
    return urllib.request.urlopen(asked, timeout=30).read().decode()
def ask(text=text):
    body = {"model": "any", "messages": [{"role": "user", "content": text}]}
    return json.loads(post("/chat/completions", body))["choices"][0]["message"]["content"]
"""
Answers = Sequence[str | Answer | AifactoryError]
Work = Callable[..., Any]


@pytest.fixture
def checkout(make_checkout: Callable[..., Checkout]) -> Checkout:
    return make_checkout(files={"prompts/wrapper.md": AGENT, "a.py": "A = 1\n", "b.py": "B = 1\n"})


@contextmanager
def at_work(
    checkout: Checkout, program: str, answers: Answers = ("A = 2\n",), **task: Any
) -> Iterator[House]:
    """A house where `worker` is installed and one task was worked on."""
    place = checkout.root.parent / "programs"
    (place / "bin").mkdir(parents=True)
    worker = place / "bin" / "worker"
    worker.write_text(COMMON + program)
    worker.chmod(0o755)
    drop(checkout, "t1", **{"assignee": "wrapper", "files": ["a.py"], "max_attempts": 1} | task)
    with opened(checkout, answers, agents__programs=[str(place)]) as house:
        sandbox = choose()
        house.factory.sandbox = lambda: sandbox
        house.work()
        yield house


def failure(house: House) -> FailureClass | None:
    record = house.factory.queue.record("t1")
    assert record
    return record.failure.failure_class if record.failure else None


def evidence(house: House) -> str:
    return (house.factory.ledger.artifact("t1", "gate-1.json") or b"").decode()


def test_what_it_leaves_lands_and_can_be_done_again_without_it(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = """
assert "KEY" not in os.environ and os.environ["OPENAI_API_KEY"] == "none"
assert os.environ["MOOD"] == "good" and sys.argv[2:] == ["a.py"]
pathlib.Path("a.py").write_text(ask())
pathlib.Path(".worker.log").write_text("noise")
subprocess.run(["git", "init", "--quiet"], check=True)
pathlib.Path(".git/hooks/pre-commit").write_text("#!/bin/sh\\nexit 1")
"""
    monkeypatch.setenv("KEY", "secret")
    with at_work(checkout, program, description="let A be two") as house:
        assert house.state("t1") is State.DONE, evidence(house)
        [request] = house.model.requests
        assert request.messages[0]["content"].startswith("TASK-ID: t1\n\nlet A be two")
        (found,) = replay(house.factory.repository, house.factory.layout, "t1")
        assert found.same and len(house.model.requests) == 1
    assert checkout.git("show", "--name-only", "--format=%an", "HEAD") == "wrapper\n\na.py"
    assert "Aifactory-Model: fake" in checkout.git("log", "-1", "--format=%b")


@pytest.mark.parametrize(
    ("program", "kind", "said"),
    [
        ("ask()", FailureClass.ANSWER_UNUSABLE, "changed nothing"),
        ("open('a.py', 'w').write(ask()); sys.exit(3)", FailureClass.ANSWER_UNUSABLE, "code 3"),
        ("open('b.py', 'w').write(ask())", FailureClass.SCOPE_VIOLATION, "b.py"),
        ("os.symlink('/etc/passwd', 'link')", FailureClass.ANSWER_UNUSABLE, "no regular file"),
        ("while True: pass", FailureClass.ANSWER_UNUSABLE, "took too long"),
        ("for n in range(9): ask(str(n))", FailureClass.ANSWER_UNUSABLE, "after 4 answers"),
        ("while True: ask()", FailureClass.ANSWER_UNUSABLE, "goes in circles"),
    ],
)
def test_misbehaviour_ends_the_attempt(
    checkout: Checkout, program: str, kind: FailureClass, said: str
) -> None:
    if said == "took too long":
        checkout.commit({"prompts/wrapper.md": AGENT.replace("seconds: 90", "seconds: 1")})
    with at_work(checkout, program) as house:
        assert (failure(house), said in evidence(house)) == (kind, True), evidence(house)
    assert (checkout.root / "a.py").read_text() == "A = 1\n"


def test_more_time_than_the_task_has(checkout: Checkout) -> None:
    with at_work(checkout, "while True: pass", budget={"seconds": 2}) as house:
        assert failure(house) is FailureClass.DEADLINE
        assert house.state("t1") is State.AWAITING_INPUT


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BudgetExhausted("task:t1: no more"), FailureClass.BUDGET_EXHAUSTED),
        (ModelPermanent("no such model"), FailureClass.MODEL_PERMANENT),
    ],
)
def test_a_call_that_fails_ends_the_program_with_its_class(
    checkout: Checkout, error: AifactoryError, kind: FailureClass
) -> None:
    program = """
try:
    ask()
except urllib.error.HTTPError:
    pass
open("a.py", "w").write("A = 3")
while True: pass
"""
    with at_work(checkout, program, [error]) as house:
        assert failure(house) is kind


def test_an_answer_is_not_paid_for_again_after_a_provider_failed(checkout: Checkout) -> None:
    program = """
told = {"role": "tool", "tool_call_id": "c", "content": f"took {os.urandom(4).hex()} ms"}
first, body = ask("first"), {"messages": [{"role": "user", "content": "second"}, told]}
second = json.loads(post("/chat/completions", body))["choices"][0]["message"]["content"]
open("a.py", "w").write(first + second + ask("third " + os.getcwd()))
"""
    answers = ["A = ", "2", ModelTransient("gone"), "\n"]
    with at_work(checkout, program, answers) as house:
        assert house.state("t1") is State.QUEUED
        house.factory.queue.delay("t1", 0)
        house.work()
        assert house.state("t1") is State.DONE, evidence(house)
        asked = [str(request.messages[0]["content"])[:5] for request in house.model.requests]
        assert asked == ["first", "secon", "third", "third"]
    assert (checkout.root / "a.py").read_text() == "A = 2\n"


def test_nothing_but_a_model_is_reached(checkout: Checkout) -> None:
    program = """
def status(make):
    try:
        return make().status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)
get = lambda url: status(lambda: urllib.request.urlopen(url, timeout=5))
found = [get(base + "/models"), get(base + "/files"), get("https://example.org/")]
found += [get("http://example.org/"), status(lambda: post("/chat/completions", {"messages": 5}))]
open("a.py", "w").write(json.dumps(found))
"""
    with at_work(checkout, program) as house:
        assert house.state("t1") is State.DONE, evidence(house)
        assert house.model.requests == []
    models, files, secure, plain, wrong = json.loads((checkout.root / "a.py").read_text())
    assert (models, files, plain, wrong) == (200, 404, 404, 400)
    assert "403" in secure


def test_requests_that_are_none_end_it(checkout: Checkout) -> None:
    program = """
while True:
    try:
        post("/nothing", {})
    except urllib.error.HTTPError:
        pass
"""
    with at_work(checkout, program) as house:
        assert failure(house) is FailureClass.ANSWER_UNUSABLE
        assert "requests that are none for a model" in evidence(house)


CALL = calling("edit", path="a.py")
TALKS = {
    "/chat/completions": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "begin"}]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "seen"},
        ],
        "tools": [{"type": "function", "function": {"name": "edit", "parameters": {}}}],
    },
    "/responses": {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "begin"}]},
            {"type": "reasoning", "summary": []},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "seen"},
        ],
        "tools": [{"type": "function", "name": "edit", "parameters": {}}, {"type": "web_search"}],
    },
    "/messages": {
        "messages": [
            {"role": "user", "content": "begin"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "c1", "name": "look", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "seen"}]},
        ],
        "tools": [{"name": "edit", "input_schema": {}}],
    },
    "/models/any:generateContent": {
        "contents": [
            {"role": "user", "parts": [{"text": "begin"}]},
            {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "look"}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "c1", "name": "look", "response": {"output": "seen"}}},
            ]},
        ],
        "tools": [{"functionDeclarations": [{"name": "edit", "parametersJsonSchema": {}}]}],
    },
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(TALKS))
@pytest.mark.parametrize("stream", [True, False])
def test_every_dialect_says_the_same(checkout: Checkout, path: str, stream: bool) -> None:
    body = json.dumps(TALKS[path] | {"stream": stream})
    if stream:  # Google's says so in its address
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
    program = f'open("a.py", "w").write(post("{path}", json.loads({body!r})))'
    with at_work(checkout, program, [CALL]) as house:
        assert house.state("t1") is State.DONE, evidence(house)
        [request] = house.model.requests
        begin, called, seen = request.messages
        assert begin == {"role": "user", "content": "begin"}
        assert called["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
        assert seen == {"role": "tool", "tool_call_id": "c1", "content": "seen"}
        assert [tool["function"]["name"] for tool in request.tools] == ["edit"]
    said = (checkout.root / "a.py").read_text()
    assert "call_edit" in said and "a.py" in said
    assert said.startswith(("event: ", "data: ") if stream else "{")


def test_a_program_that_is_not_installed_is_said_by_name(checkout: Checkout) -> None:
    checkout.commit({"prompts/wrapper.md": AGENT.replace("worker {", "absent {")})
    with at_work(checkout, "") as house:
        assert failure(house) is FailureClass.PRECONDITION_FAILED
        assert "absent is not installed" in evidence(house)


def test_a_repository_cannot_say_what_is_opened(checkout: Checkout) -> None:
    checkout.commit({"aifactory.toml": f'[agents]\nprograms = ["{Path.home()}"]\n'})
    with pytest.raises(AifactoryError, match="the user's own file"), opened(checkout):
        pass


def test_a_wrapped_program_needs_one_command(checkout: Checkout) -> None:
    checkout.commit({"prompts/wrapper.md": "---\nkind: wrapped\n---\nNothing\n"})
    with opened(checkout) as house, pytest.raises(BrokenPrompt, match="one of `commands`"):
        find("wrapper", Prompts(house.factory.layout))
