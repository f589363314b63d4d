"""A dollar is a dollar, whenever the daemon is killed: counted where the money goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess

from aifactory.models.fake_provider import FakeProvider, Reply
from tests.conftest import Checkout
from tests.house import drop
from tests.patience import until
from tests.test_auto_agent import DAEMON

TASKS, LIMIT, ANSWER_USD = 14, 0.35, 0.03
SETTINGS = """
[model]
default = "openai/any"
api_base = "{base}"
parameters = {{ max_tokens = 500 }}
[model.prices]
"openai/any" = {{ prompt = 10.0, completion = 50.0 }}
[budget.day]
usd = {limit}
"""


def reply(number: int) -> Reply:
    text = f"```text:f{number}.txt\n{'x' * 20}\n```"
    return Reply(text, prompt_tokens=500, completion_tokens=500, fault="drip")


def charged(provider: FakeProvider) -> float:
    """What the provider would bill: every request that it began to answer."""
    return len(provider.seen) * ANSWER_USD


def test_the_day_never_costs_more_than_its_limit(checkout: Checkout) -> None:
    replies = {f"t{number}": [reply(number)] for number in range(TASKS)}
    with FakeProvider(replies) as provider:
        text = SETTINGS.format(base=provider.api_base, limit=LIMIT)
        checkout.commit({"aifactory.toml": text})
        for number in range(TASKS):
            drop(checkout, f"t{number}", files=[f"f{number}.txt"])
        kill_while_calls_are_under_way(checkout, provider)
        assert 0 < (before := charged(provider)) < LIMIT
        done = daemon(checkout)
        assert done.wait(200) == 6
        assert before < charged(provider) <= LIMIT + 1e-9
    told = aifactory(checkout, "budget", "--json")
    (day,) = (one for one in told["budgets"] if one["scope"].startswith("day:"))
    assert day["doubtful"]["usd"] > 0, "nobody saw how the killed calls ended"
    assert day["spent"]["usd"] + day["doubtful"]["usd"] >= charged(provider) - 1e-9


def kill_while_calls_are_under_way(checkout: Checkout, provider: FakeProvider) -> None:
    process = daemon(checkout)
    until(lambda: len(provider.seen) >= 3, "nothing is asked")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def daemon(checkout: Checkout) -> subprocess.Popen[bytes]:
    command = [*DAEMON, "--once", "--jobs", "5", "--log-format", "json"]
    return subprocess.Popen(command, cwd=checkout.root, stderr=subprocess.DEVNULL)


def aifactory(checkout: Checkout, *arguments: str) -> dict[str, list[dict[str, dict[str, float]]]]:
    done = subprocess.run(
        [DAEMON[0], "-m", "aifactory", *arguments], cwd=checkout.root, capture_output=True
    )
    found: dict[str, list[dict[str, dict[str, float]]]] = json.loads(done.stdout)
    return found
