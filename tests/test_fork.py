"""An attempt made again with another model, other prompts; seen only where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from aifactory import git
from aifactory.cli.place import Place as Shown
from aifactory.cli.standing import standing
from aifactory.errors import Bug
from aifactory.fork import NothingToFork, fork, land
from aifactory.layout import Layout
from aifactory.ledger import Ledger
from aifactory.model import State
from aifactory.models.fake_provider import FakeProvider, Reply
from aifactory.trial import prompt_at, trials
from tests.conftest import Checkout
from tests.house import drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

OTHER = "scripted/other.json"
Place = tuple[git.Repository, Layout]
PRICED = """
[model]
api_base = "{base}"
[model.parameters]
max_tokens = 1000
[model.prices]
"openai/any" = {{ prompt = 1.0, completion = 2.0 }}
[budget.day]
usd = 0.3
"""


@pytest.fixture
def failed(checkout: Checkout) -> Checkout:
    """A task whose two attempts came to nothing, and a file in which a better model answers."""
    drop(checkout, "t1", files=["a.py"], max_attempts=2)
    with opened(checkout, ["prose", "more prose"]) as house:
        house.work()
    right = [{"text": "again prose"}, {"text": whole(a_py="right\n")}]
    checkout.write({"other.json": json.dumps({"tasks": {"t1": right}})})
    return checkout


@pytest.fixture
def place(failed: Checkout) -> Iterator[Place]:
    repository = git.discover(failed.root)
    yield repository, Layout(repository.root, repository.git_dir)
    repository.close()


def test_another_model_goes_on_from_an_attempt_and_nothing_lands(
    failed: Checkout, place: Place
) -> None:
    before = failed.git("for-each-ref"), failed.git("status", "--porcelain")
    done = fork(*place, "t1", 2, model=OTHER)
    assert (done.before.state, done.outcome, done.attempts) == (State.FAILED, "done", 1)
    assert b"+right" in done.patch
    assert (failed.git("for-each-ref"), failed.git("status", "--porcelain")) == before


def test_from_the_first_attempt_on_everything_is_asked_again(
    failed: Checkout, place: Place
) -> None:
    done = fork(*place, "t1", 1, model=OTHER)
    assert (done.outcome, done.attempts) == ("done", 2)


def test_without_a_model_the_recorded_answers_come_to_the_same(
    failed: Checkout, place: Place
) -> None:
    assert fork(*place, "t1", 1).outcome == "failed (answer_unusable)"


def test_what_a_task_depends_on_is_done_in_the_fork(checkout: Checkout) -> None:
    drop(checkout, "first", files=["first.py"])
    drop(checkout, "t1", files=["a.py"], depends_on=["first"])
    with opened(checkout, [whole(first_py="1\n"), whole(a_py="2\n")]) as house:
        house.work()
    with closing(git.discover(checkout.root)) as repository:
        done = fork(repository, Layout(repository.root, repository.git_dir), "t1", 1)
    assert done.outcome == "done"
    assert b"first.py" not in done.patch


def test_what_a_fork_came_to_lands_when_asked(failed: Checkout, place: Place) -> None:
    done = fork(*place, "t1", 2, model=OTHER)
    record = land(failed.root, done, lambda error: Bug(repr(error)))
    assert record.state is State.DONE
    assert (failed.root / "a.py").read_text() == "right\n"
    assert failed.git("log", "-1", "--format=%(trailers:key=Aifactory-Task,valueonly)") == "t1\n"


def test_an_attempt_that_never_was_cannot_be_made_again(failed: Checkout, place: Place) -> None:
    with pytest.raises(NothingToFork, match="no attempt 3, it has 2"):
        fork(*place, "t1", 3, model=OTHER)


def test_the_same_task_under_two_versions_of_a_prompt(failed: Checkout, place: Place) -> None:
    prompt = "---\nanswer: {0}\n---\nTASK-ID: {{{{ task.task_id }}}}\n"
    strict = failed.commit({"prompts/coder.md": prompt.format("udiff")})
    failed.write({"prompts/coder.md": prompt.format("whole")})
    (one,) = trials(*place, "coder", ["t1"], (strict, None), OTHER)
    assert [each.outcome for each in one.forks] == ["failed (answer_unusable)", "done"]
    hashes = [prompt_at(*place, "coder", version).sha256 for version in (strict, None)]
    assert [each.prompt_sha256 for each in one.forks] == hashes


def test_what_a_fork_costs_is_the_days(failed: Checkout) -> None:
    reply = Reply(whole(a_py="right\n"), prompt_tokens=200_000, completion_tokens=100)
    with FakeProvider({"t1": [reply]}) as provider:
        failed.write({"aifactory.toml": PRICED.format(base=provider.api_base)})
        repository = git.discover(failed.root)
        layout = Layout(repository.root, repository.git_dir)
        done = fork(repository, layout, "t1", 2, model="openai/any")
        assert (done.outcome, done.cost_usd) == ("done", pytest.approx(0.2002))
        day = standing(Shown(repository, layout, Ledger(repository)))[0]
        assert (day.balance.spent.usd, day.left("usd")) == (
            pytest.approx(0.2002),
            pytest.approx(0.0998),
        )
        again = fork(repository, layout, "t1", 2, model="openai/any")
        assert again.outcome == "awaiting_input (budget_exhausted)"
        assert len(provider.seen) == 1
        repository.close()
