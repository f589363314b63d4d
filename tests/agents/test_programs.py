"""aider, codex and gemini, the real ones, at work in `examples/wrapped`: a real daemon and cage.

`.ci/programs/install` brings them; where the continuous integration runs, it is run from here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from aifactory.layout import PACKAGE, shipped
from aifactory.models.fake_provider import FakeProvider, Reply
from tests.conftest import Checkout

ROOT = PACKAGE.parent
PLACES = [ROOT / ".programs" / name for name in ("aider", "npm")]
MODERN = 20  # major version of Node that gemini needs; Debian 12 and Ubuntu 24.04 bring 18
KEY = "sk-this-is-the-key-of-the-provider"
SETTINGS = """
[model]
default = "openai/any"
api_base = "{base}"
stall_seconds = 5.0
[model.prices]
"openai/any" = {{ prompt = 1.0, completion = 2.0 }}
[gate]
commands = ["python -m unittest -q"]
"""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def programs() -> str:
    """The setting that says where they stand."""
    if not all(place.is_dir() for place in PLACES):
        if not os.environ.get("CI"):
            pytest.skip("type .ci/programs/install once: it brings aider, codex and gemini, 1.1 GB")
        subprocess.run([ROOT / ".ci" / "programs" / "install"], check=True, timeout=800)
    return json.dumps([*map(str, PLACES)])


@pytest.fixture(params=["aider codex", "gemini"])
def names(request: pytest.FixtureRequest, programs: str) -> set[str]:
    """The programs that have something to do."""
    named = set(str(request.param).split())
    if "gemini" in named and (found := node()) < MODERN:
        pytest.skip(f"gemini needs Node {MODERN}, here is {found}")
    return named


def node() -> int:
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.removeprefix("v").partition(".")[0])


@pytest.fixture
def checkout(make_checkout: Callable[..., Checkout], names: set[str]) -> Checkout:
    checkout = make_checkout("shop")
    shutil.copytree(shipped("examples") / "wrapped", checkout.root, dirs_exist_ok=True)
    for task in (checkout.root / "tasks").iterdir():
        if json.loads(task.read_text())["assignee"] not in names:
            task.unlink()
    checkout.commit({}, "a shop")
    return checkout


def aifactory(
    checkout: Checkout, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aifactory", *arguments],
        cwd=checkout.root,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def landed(checkout: Checkout) -> set[str]:
    return set(checkout.git("log", "--format=%an").splitlines()) - {"Ada"}


def test_each_does_its_example(checkout: Checkout, programs: str, names: set[str]) -> None:
    done = aifactory(checkout, "run", "--once", AIFACTORY_AGENTS_PROGRAMS=programs)
    assert done.returncode == 0, done.stderr
    assert landed(checkout) == names


def test_a_provider_with_faults_and_what_it_counts(
    checkout: Checkout, programs: str, names: set[str]
) -> None:
    answers = json.loads((checkout.root / "answers.json").read_text())["tasks"]
    replies = {name: [*map(reply, given)] for name, given in answers.items()}
    replies["ask-aider"] = [Reply(status=503), Reply("x" * 400, fault="cut"), *replies["ask-aider"]]
    replies["ask-codex"].insert(1, Reply(fault="hang"))
    replies["ask-gemini"][1:1] = [Reply(fault="hang"), Reply("x" * 400, fault="ended")]
    with FakeProvider(replies) as provider:
        checkout.commit({"aifactory.toml": SETTINGS.format(base=provider.api_base)})
        done = aifactory(
            checkout, "run", "--once", AIFACTORY_AGENTS_PROGRAMS=programs, OPENAI_API_KEY=KEY
        )
        assert done.returncode == 0, done.stderr
        assert {seen.headers["authorization"] for seen in provider.seen} == {f"Bearer {KEY}"}
        counted = sum(one.reply.prompt_tokens for one in provider.seen if one.answered)
    assert landed(checkout) == names
    totals = json.loads(aifactory(checkout, "status", "--json").stdout)["totals"]
    assert (totals["tokens"]["prompt"], totals["done"]) == (counted, len(names))
    for name in names:
        again = aifactory(checkout, "replay", f"ask-{name}")
        assert again.returncode == 0, again.stdout + again.stderr
        assert KEY not in aifactory(checkout, "artifacts", f"ask-{name}", "commands.jsonl").stdout


def reply(answer: Mapping[str, Any]) -> Reply:
    """A scripted answer as a provider gives it."""
    calls = (
        {"id": f"call_{n}", "type": "function", "function": function(one)}
        for n, one in enumerate(answer.get("tool_calls", ()))
    )
    return Reply(answer.get("text", ""), prompt_tokens=1000, tool_calls=tuple(calls))


def function(call: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": call["name"], "arguments": json.dumps(call["arguments"])}
