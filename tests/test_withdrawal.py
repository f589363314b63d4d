"""A cancelled task leaves nothing open on the forge."""

from __future__ import annotations

import pytest

from aifactory import requests, wishes
from aifactory.auto_agent import exit_code
from aifactory.errors import ForgeDown
from aifactory.forge import Protection
from aifactory.model import State
from aifactory.pulls import Pulls
from aifactory.requests import Verb
from tests.house import House
from tests.hub import BRANCH, Hub, hub, road, task, work
from tests.memory import scratch

__all__ = ["hub", "scratch", "task"]  # fixtures

pytestmark = pytest.mark.usefixtures("task")


def wish(house: House, verb: Verb) -> None:
    requests.post(house.factory.layout, verb, "t1", {"reason": "not wanted any more"}, "ada")
    wishes.grant(house.factory)


def test_a_cancelled_task_leaves_nothing_open(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        work(house)
        wish(house, "cancel")
        house.factory.queue.archive()
        record = work(house)
        assert record.state is State.CANCELLED and record.is_over
        assert hub.forge.did == ["open aifactory/t1", "announce 1", "remark 1", "close 1"]
        assert "The task t1 was cancelled by ada: not wanted any more" in hub.forge.said[1][0]
        assert hub.tip(BRANCH) == ""
        assert work(house) == record


def test_one_that_is_back_with_the_agent_is_closed_as_well(hub: Hub) -> None:
    hub.forge.rules = Protection(("build",))
    with road(hub) as house:
        hub.forge.report(work(house).pending or "", "build", "red")
        Pulls(house.factory).step(house.factory, "t1")
        assert house.state("t1") is State.QUEUED
        wish(house, "cancel")
        assert work(house).state is State.CANCELLED
        assert not hub.forge.pull(1).open and hub.tip(BRANCH) == ""


def test_a_cancelled_task_waits_for_a_forge_that_is_down(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        work(house)
        wish(house, "cancel")
        hub.forge.troubles = [ForgeDown("nobody answers")]
        record = work(house)
        assert record.reason.startswith("nobody answers") and not record.is_over
        assert exit_code(house.factory) == 8
        house.factory.queue.archive()
        record = work(house)
        assert record.is_over and record.reason == ""
        assert exit_code(house.factory) == 0
        assert not hub.forge.pull(1).open


def test_one_that_was_merged_before_it_could_be_closed_has_landed(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        head = work(house).pending or ""
        wish(house, "cancel")
        hub.forge.merge(1, head, "squash", "by hand", "")
        record = work(house)
        assert (record.state, record.commit) == (State.DONE, hub.tip("main"))


def test_a_branch_with_work_of_somebody_else_is_not_deleted(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        first = work(house).pending or ""
        tree = hub.git("rev-parse", f"{first}^{{tree}}")
        theirs = hub.git("commit-tree", tree, "-p", first, "-m", "theirs")
        hub.git("update-ref", f"refs/heads/{BRANCH}", theirs)
        wish(house, "cancel")
        assert work(house).is_over
        assert not hub.forge.pull(1).open and hub.tip(BRANCH) == theirs


def test_one_that_is_retried_before_it_is_closed_goes_on(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        work(house)
        wish(house, "cancel")
        wish(house, "retry")
        record = work(house)
        assert (record.state, record.in_review) == (State.READY, True)
        assert hub.forge.pull(1).open and hub.forge.did.count("open aifactory/t1") == 1


def test_a_task_that_was_cancelled_and_retried_opens_another(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        work(house)
        wish(house, "cancel")
        work(house)
        wish(house, "retry")
        record = work(house)
        assert record.pull and record.pull.number == 2
        assert hub.tip(BRANCH) == record.pending
