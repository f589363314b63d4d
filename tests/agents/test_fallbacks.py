"""Fallback models in the middle of a talk with tools, over real HTTP with real faults."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from aifactory.models.fake_provider import FakeProvider, Fault, Reply
from tests.conftest import Checkout
from tests.house import drop
from tests.test_auto_agent import DAEMON

SETTINGS = """
[model]
default = "openai/first"
api_base = "{base}"
fallbacks = ["scripted/second.json"]
stall_seconds = 1.0
[model.prices]
"openai/first" = {{ prompt = 1.0, completion = 2.0 }}
[budget.task]
usd = 1.0
"""
STEPS: tuple[dict[str, Any], ...] = (
    {"name": "read", "arguments": {"path": "a.py"}},
    {"name": "edit", "arguments": {"path": "a.py", "old": "A = 1", "new": "A = 2"}},
    {"name": "read", "arguments": {"path": "a.py"}},
    {"name": "finish", "arguments": {"summary": "A is two"}},
)
FAULTS: tuple[Fault, ...] = ("hang", "cut", "reset", "ended", "malformed")


def reply(step: dict[str, Any]) -> Reply:
    function = {"name": step["name"], "arguments": json.dumps(step["arguments"])}
    call = {"id": "call_1", "type": "function", "function": function}
    return Reply(tool_calls=(call,), prompt_tokens=1000, completion_tokens=10)


def test_another_model_goes_on_with_the_talk_and_each_is_paid_for_its_own(
    checkout: Checkout,
) -> None:
    first = [reply(STEPS[0]), *(Reply("x" * 400, fault=fault) for fault in FAULTS)]
    script = {"tasks": {"t1": [{"tool_calls": [step]} for step in STEPS]}}
    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    with FakeProvider({"t1": first}) as provider:
        text = SETTINGS.format(base=provider.api_base)
        files = {"aifactory.toml": text, "second.json": json.dumps(script), "a.py": "A = 1\n"}
        checkout.commit(files)
        done = subprocess.run(
            [*DAEMON, "--once", "--log-format", "json"],
            cwd=checkout.root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert "model.warming" in {one["event"] for one in events}  # LiteLLM takes its time, once
    answered = [one for one in events if one["event"] == "model.answered"]
    assert [one["model"] for one in answered] == ["openai/first", *["scripted/second.json"] * 3]
    assert [one["cost_usd"] for one in answered] == [0.00102, 0.0, 0.0, 0.0]
    assert sum(seen.answered for seen in provider.seen) == 1
    assert checkout.git("show", "HEAD:a.py") == "A = 2"
    trailer = checkout.git("log", "-1", "--format=%(trailers:key=Aifactory-Model,valueonly)")
    assert trailer.strip() == "scripted/second.json"
