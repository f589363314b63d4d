"""What is wrong with a model is told at the start, with the remedy; one bad key stops no queue."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from aifactory.models.fake_provider import FakeProvider, Reply
from tests.conftest import Checkout
from tests.house import drop, whole
from tests.test_auto_agent import DAEMON

CLEAN = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}

FORGE = """
[model]
default = "scripted/answers.json"
[gate]
security = "off"
[land]
mode = "pr"
[forge]
repository = "ada/repo"
api_url = "http://localhost:9"
"""


def once(checkout: Checkout) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the events of a run until nothing is runnable, with no key anywhere."""
    done = subprocess.run(
        [*DAEMON, "--once", "--jobs", "1", "--log-format", "json"],
        cwd=checkout.root,
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines()]


def of(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def states(checkout: Checkout) -> dict[str, str]:
    done = subprocess.run(
        [DAEMON[0], "-m", "aifactory", "status", "--json"],
        cwd=checkout.root,
        capture_output=True,
        check=True,
    )
    return {one["task_id"]: one["state"] for one in json.loads(done.stdout)["tasks"]}


def test_a_missing_key_is_told_at_once_and_does_not_use_up_the_queue(checkout: Checkout) -> None:
    checkout.commit({"aifactory.toml": '[model]\ndefault = "anthropic/claude-sonnet-4-5"\n'})
    for name in ("t1", "t2", "t3"):
        drop(checkout, name, files=["a.py"])
    code, events = once(checkout)
    assert code == 4
    told = of(events, "model.unusable")[0]
    assert told["problems"] == "ANTHROPIC_API_KEY is not set in the environment"
    assert "set the provider's key" in told["next_step"]
    names = [event["event"] for event in events]
    assert names.index("model.unusable") < names.index("task.failed")
    assert states(checkout) == {"t1": "failed", "t2": "queued", "t3": "queued"}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('default = "antropic/claude"', "no provider is known for 'antropic/claude'"),
        ('default = "x"\napi_base = "http://127.0.0.1:9/v1"', "cannot be reached"),
    ],
)
def test_a_wrong_name_and_a_dead_host_are_told(checkout: Checkout, setting: str, said: str) -> None:
    checkout.commit({"aifactory.toml": f"[model]\n{setting}\n"})
    drop(checkout, "t1", files=["a.py"], budget={"seconds": 20})
    _, events = once(checkout)
    told = of(events, "model.unusable")[0]
    assert said in told["problems"] and told["next_step"]


def test_another_agent_goes_on_while_one_pauses(checkout: Checkout) -> None:
    prompt = "---\nmodel: openai/gone\n---\nTASK-ID: {{ task.task_id }}\n"
    replies = {"bad": [Reply(status=404)], "good": [Reply(whole(b_py="b\n"))]}
    with FakeProvider(replies) as provider:
        settings = f'[model]\ndefault = "openai/any"\napi_base = "{provider.api_base}"\n'
        checkout.commit({"aifactory.toml": settings, "prompts/odd.md": prompt})
        drop(checkout, "bad", files=["a.py"], assignee="odd")
        drop(checkout, "bad2", files=["a.py"], assignee="odd")
        drop(checkout, "good", files=["b.py"], priority=20)
        code, events = once(checkout)
    assert code == 1
    assert [event["agent"] for event in of(events, "agent.paused")] == ["odd"]
    assert states(checkout) == {"bad": "failed", "bad2": "queued", "good": "done"}


def test_verified_work_waits_for_a_forge_without_a_token(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(CLEAN, "GITHUB_TOKEN", raising=False)
    answers = {"tasks": {"t1": [{"text": whole(a_py="a = 1\n")}]}}
    checkout.commit({"answers.json": json.dumps(answers), "aifactory.toml": FORGE})
    drop(checkout, "t1", files=["a.py"])
    code, events = once(checkout)
    assert (code, states(checkout)) == (8, {"t1": "ready"})
    told = of(events, "forge.unusable")[0]
    assert told["problems"] == "GITHUB_TOKEN is not set in the environment"
    assert "export GITHUB_TOKEN" in told["next_step"]
    assert told["problems"] in of(events, "landing.waits")[0]["reason"]
