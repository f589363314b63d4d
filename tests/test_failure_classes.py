"""Every class of failure that a model can lead to, provoked over real HTTP at a real daemon.

One daemon works on all of it; a row of the table says what is asked, what is answered, and how the
task has to end.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from aifactory.models.fake_provider import FakeProvider, Fault, Reply
from tests.conftest import Checkout
from tests.house import drop
from tests.patience import PATIENCE
from tests.test_auto_agent import DAEMON

STALL, WALL = 3.0, 5.0
SETTINGS = """
[model]
default = "openai/any"
api_base = "{base}"
seconds = {wall}
stall_seconds = {stall}
[model.parameters]
max_tokens = 1000
"""


@dataclass(frozen=True)
class Case:
    """What is asked and answered. `state` and `kind` are the end; `charged` are the attempts that
    counted against the task, `tries` all of them."""

    replies: tuple[Reply, ...]
    state: str = "done"
    kind: str | None = None
    charged: int = 0
    tries: int = 1
    task: Mapping[str, Any] = field(default_factory=dict)


def right(name: str) -> Reply:
    text = f"```text:{name}.txt\n{'right ' * 20}\n```"
    return Reply(text, prompt_tokens=100 + len(name), completion_tokens=len(name))


def passes(*faults: Reply) -> Case:
    """The provider's fault: tried again within the attempt, and nobody is charged."""
    return Case(faults)


def mended(wrong: str, **task: Any) -> Case:
    """The agent's fault: it gets another attempt, and that is charged."""
    return Case((Reply(wrong),), charged=1, tries=2, task=task)


def fault(name: Fault) -> Reply:
    return Reply("x" * 400, fault=name)


IS_RIGHT = "python -c \"import pathlib; assert 'right' in pathlib.Path('{0}.txt').read_text()\""
UNMATCHED = "README.md\n<<<<<<< SEARCH\nno such line\n=======\nx\n>>>>>>> REPLACE\n"
CASES: dict[str, Case] = {
    "unknown-agent": Case((), "rejected", "unknown_agent", tries=1, task={"assignee": "nobody"}),
    "precondition": Case(
        (),
        "failed",
        "precondition_failed",
        task={"preconditions": [{"kind": "file_exists", "path": "no.txt"}]},
    ),
    "policy": Case((), "failed", "policy_denied", task={"acceptance_commands": ["curl x.org"]}),
    "busy": passes(Reply(status=429, retry_after="1")),
    "prose": mended("I will not."),
    "down": passes(Reply(status=500)),
    "outside": mended("```text:other.txt\nx\n```"),
    "overloaded": passes(Reply(status=503), Reply(status=503)),
    "truncated": Case(
        (Reply("```text:truncated.txt\nri", finish_reason="length"),), charged=1, tries=2
    ),
    "reset": passes(fault("reset")),
    "red": mended("```text:red.txt\nwrong\n```", acceptance_commands=[IS_RIGHT.format("red")]),
    "cut": passes(fault("cut")),
    "nothing": mended(""),
    "ended": passes(fault("ended")),
    "unmatched": mended(UNMATCHED, files=["README.md", "unmatched.txt"]),
    "malformed": passes(fault("malformed")),
    "missing": mended(
        "```text:other.txt\nx\n```",
        files=["other.txt", "missing.txt"],
        postconditions=[{"kind": "file_exists", "path": "missing.txt"}],
    ),
    "empty": passes(fault("empty")),
    "stubborn": Case(tuple([Reply("No.")] * 9), "failed", "answer_unusable", charged=3, tries=3),
    "silent": passes(fault("hang")),
    "drips": passes(fault("drip")),
    "no-time": Case(
        (fault("hang"),), "awaiting_input", "deadline", task={"budget": {"seconds": 1.5}}
    ),
    "refused": Case((Reply(status=400),), "failed", "model_permanent"),
    "no-tokens": Case((), "awaiting_input", "budget_exhausted", task={"budget": {"tokens": 50}}),
    "no-price": Case((), "awaiting_input", "budget_exhausted", task={"budget": {"usd": 1.0}}),
    # Last, and of two agents: each pauses its own.
    "no-such-model": Case((Reply(status=404),), "failed", "model_permanent"),
    "bad-key": Case(
        (Reply(status=401),), "failed", "model_permanent", task={"assignee": "documenter"}
    ),
}


@dataclass(frozen=True)
class Night:
    """What one daemon left behind."""

    provider: FakeProvider
    records: Mapping[str, dict[str, Any]]
    events: tuple[dict[str, Any], ...]
    seconds: float
    code: int


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    checkout = Checkout(tmp_path_factory.mktemp("night") / "repo")
    checkout.root.parent.chmod(0o755)
    checkout.root.mkdir()
    checkout.git("init", "--quiet", "--initial-branch=main")
    replies = {name: (*case.replies, right(name)) for name, case in CASES.items()}
    with FakeProvider(replies) as provider:
        text = SETTINGS.format(base=provider.api_base, wall=WALL, stall=STALL)
        checkout.commit({"aifactory.toml": text, "README.md": "# A repository\n"})
        for number, (name, case) in enumerate(CASES.items()):
            drop(checkout, name, **{"files": [f"{name}.txt"], "priority": number, **case.task})
        (checkout.root / "tasks" / "invalid.json").write_text('{"task_id": "invalid"}')
        began = time.monotonic()
        done = subprocess.run(
            [*DAEMON, "--once", "--jobs", "6", "--log-format", "json"],
            cwd=checkout.root,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        seconds = time.monotonic() - began
        told = subprocess.run(
            [DAEMON[0], "-m", "aifactory", "report", "--json"],
            cwd=checkout.root,
            capture_output=True,
            check=True,
        )
        records = {one["task_id"]: one for one in json.loads(told.stdout)["tasks"]}
        events = tuple(json.loads(line) for line in done.stderr.splitlines())
        yield Night(provider, records, events, seconds, done.returncode)


@pytest.mark.parametrize("name", CASES)
def test_a_task_ends_as_the_table_says(night: Night, name: str) -> None:
    case, record = CASES[name], night.records[name]
    kind = record["failure"]["class"] if record["failure"] else None
    assert (record["state"], kind) == (case.state, case.kind), record
    assert (record["charged"], record["attempts"]) == (case.charged, case.tries)
    if kind:
        assert record["failure"]["next_step"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("prose", "answer_unusable"),
        ("nothing", "answer_unusable"),
        ("truncated", "answer_unusable"),
        ("outside", "scope_violation"),
        ("unmatched", "edit_refused"),
        ("red", "gate_failed"),
        ("missing", "postcondition_failed"),
    ],
)
def test_an_attempt_is_told_with_its_class(night: Night, name: str, kind: str) -> None:
    (failed,) = (one for one in night.events if one["event"] == "attempt.failed" and of(one, name))
    assert failed["failure"]["class"] == kind


def test_an_invalid_task_is_rejected_and_nothing_is_asked(night: Night) -> None:
    record = night.records["invalid"]
    assert (record["state"], record["failure"]["class"]) == ("rejected", "invalid_task")
    asked = {seen.task_id for seen in night.provider.seen}
    assert not asked & {"invalid", "unknown-agent", "precondition", "policy", "no-price"}


def test_what_was_spent_is_what_the_provider_counted(night: Night) -> None:
    counted = [seen.reply for seen in night.provider.seen if seen.answered]
    spent = [record["tokens"] for record in night.records.values()]
    for unit in ("prompt", "completion"):
        theirs = sum(getattr(reply, f"{unit}_tokens") for reply in counted)
        assert sum(tokens[unit] for tokens in spent) == theirs


@pytest.mark.parametrize(("name", "limit"), [("silent", STALL), ("drips", WALL)])
def test_a_provider_that_stalls_is_cut_within_the_limit(
    night: Night, name: str, limit: float
) -> None:
    first, second = (seen for seen in night.provider.seen if seen.task_id == name)
    assert limit <= second.at - first.at < limit + PATIENCE
    assert first.hung_up.wait(PATIENCE) and second.answered


def of(event: Mapping[str, Any], task: str) -> bool:
    return bool(event.get("task") == task)
