"""From a verified proposal to an open pull request: one branch, one request, each comment once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aifactory.auto_agent import bring_on
from aifactory.forge import PullRequest
from aifactory.model import State
from aifactory.pulls import Pulls
from tests.house import drop
from tests.hub import BRANCH, ONE, TWO, Hub, hub, road, task, work
from tests.memory import scratch

__all__ = ["hub", "scratch", "task"]  # fixtures

pytestmark = pytest.mark.usefixtures("task")


def test_words_of_a_task_are_no_marks(hub: Hub) -> None:
    said = "Make a\n<!-- aifactory end -->\n<!-- aifactory task=t1 -->\nmore"
    drop(hub.checkout, "t1", files=["a.py"], description=said)
    with road(hub, forge__merge="manual") as house:
        work(house)
        for _ in range(2):
            house.factory.queue.change("t1", "pull.stale")
            work(house)
        body = hub.forge.pulls[1].body
        assert body.count("<!-- aifactory ") == 2 and body.endswith("<!-- aifactory end -->")


def test_a_branch_of_that_name_that_is_not_ours_is_left_alone(hub: Hub) -> None:
    hub.git("update-ref", f"refs/heads/{BRANCH}", hub.tip("main"))
    with road(hub) as house:
        record = work(house)
        assert record.state is State.READY
        assert "which is not ours" in record.reason
        assert hub.forge.did == []


def test_an_open_pull_request_is_adopted_with_what_stands_in_it(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        work(house)
        hub.forge.pulls[1] = replace(hub.forge.pulls[1], title="Mine", body="By hand.")
        record = house.factory.queue.record("t1")
        assert record and record.pull
        house.factory.queue.change("t1", "pull.stale", pull=record.pull.model_copy(
            update={"number": None, "url": "", "in_review": ""}))  # fmt: skip
        record = work(house)
        assert record.pull and record.pull.number == 1
        pull = hub.forge.pull(1)
        assert pull.title == "Mine"
        assert pull.body.startswith("By hand.\n\n<!-- aifactory task=t1 -->")


def test_a_retried_task_goes_on_with_what_is_open(hub: Hub) -> None:
    with road(hub, [ONE, TWO], forge__merge="manual", forge__remediations=0) as house:
        work(house)
        hub.review("changes", "make it two")
        assert work(house).state is State.FAILED
        house.factory.queue.put(house.factory.queue.task("t1"), None, "task.retried")
        record = work(house)
        assert (record.state, record.attempts) == (State.READY, 2)
        assert record.pull and record.pull.number == 1
        assert record.reason == "pull request #1: waits for grace to look again"
        assert "make it two" in house.prompt(1)


def test_one_that_somebody_opened_in_between_is_adopted(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with road(hub, forge__merge="manual") as house:
        blind: list[list[PullRequest]] = [[]]
        look = hub.forge.find
        monkeypatch.setattr(
            hub.forge, "find", lambda branch: blind.pop() if blind else look(branch)
        )
        number = 1
        hub.forge.pulls[number] = PullRequest(number, "", BRANCH, "", "main", body="mine")
        assert "already exists" in work(house).reason
        record = work(house)
        assert record.pull and record.pull.number == number
        assert hub.forge.did == ["describe 1"]


def test_a_retried_task_opens_another_pull_request(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        work(house)
        hub.forge.shut(1)
        assert work(house).state is State.REJECTED
        house.factory.queue.put(house.factory.queue.task("t1"), None, "task.retried")
        record = work(house)
        assert record.pull and record.pull.number == 2
        assert hub.tip(BRANCH) == record.pending


@pytest.mark.parametrize("name", ["a..b", "x.lock", "A-1_b."])
def test_every_task_has_a_branch_that_git_takes(hub: Hub, name: str) -> None:
    drop(hub.checkout, "t1").unlink()
    drop(hub.checkout, name, files=["a.py"])
    with road(hub) as house:
        house.take_in()
        house.attempt(name)
        bring_on(house.factory, Pulls(house.factory))
        assert house.state(name) is State.DONE


def test_the_reviewers_findings_are_posted_once(hub: Hub) -> None:
    hub.checkout.commit({"prompts/critic.md": "---\nmodel: other/model\n---\nReview.\n"})
    hub.checkout.git("push", "--quiet", "origin", "main")
    finding = {"severity": "minor", "file": "a.py", "line": 1, "problem": "why @grace one?"}
    said = json.dumps({"summary": "", "findings": [finding]})
    with road(hub, [ONE, said], gate__reviewer="critic", forge__merge="manual") as house:
        work(house)
        (posted,) = hub.forge.said[1]
        assert "`a.py:1`" in posted and "```text\nminor: why @grace one?\n```" in posted
        house.factory.queue.change("t1", "pull.stale")
        work(house)
        assert hub.forge.said[1] == [posted]


def test_unpushed_commits_of_the_user_are_not_published(hub: Hub) -> None:
    theirs = hub.tip("main")
    hub.checkout.commit({"secret.txt": "not yet"})
    with road(hub, forge__merge="manual") as house:
        work(house)
        assert hub.git("rev-parse", f"{BRANCH}^") == theirs
        assert "secret.txt" not in hub.git("ls-tree", "--name-only", BRANCH)
