"""Which pull request is looked at when; and the local target, which follows the forge's."""

from __future__ import annotations

import pytest

from aifactory.auto_agent import nothing_more
from aifactory.errors import ForgeDenied, ForgeDown
from aifactory.model import State
from aifactory.pulls import Pulls
from tests.house import drop, whole
from tests.hub import ONE, Hub, hub, road, task, work
from tests.memory import scratch

__all__ = ["hub", "scratch", "task"]  # fixtures

pytestmark = pytest.mark.usefixtures("task")


def test_two_tasks_land_one_after_the_other(hub: Hub) -> None:
    drop(hub.checkout, "t2", files=["b.py"], description="Make b")
    with road(hub, [ONE, whole(b_py="b = 1\n")]) as house:
        assert work(house).state is State.DONE
        assert house.state("t2") is State.DONE
        commits = hub.git("log", "--format=%s", "main").splitlines()
        assert sorted(commits[:2]) == ["Make a (#1)", "Make b (#2)"] and len(commits) == 3


@pytest.mark.parametrize("error", [ForgeDown("nobody answers"), ForgeDenied("a bad token")])
def test_a_forge_that_does_not_work_is_waited_for(hub: Hub, error: Exception) -> None:
    with road(hub) as house:
        hub.forge.troubles = [error] * 100
        record = work(house)
        assert record.state is State.READY
        assert record.reason.startswith(str(error))
        hub.forge.troubles = []
        pulls = Pulls(house.factory)
        assert pulls.has_unseen()
        assert work(house).state is State.DONE


def test_all_wait_for_a_forge_that_is_down_not_only_the_one_that_asked(hub: Hub) -> None:
    drop(hub.checkout, "t2", files=["b.py"], description="Make b")
    with road(hub, [ONE, whole(b_py="b = 1\n")], forge__poll_seconds=60.0) as house:
        house.take_in()
        house.attempt("t1")
        house.attempt("t2")
        hub.forge.troubles = [ForgeDown("nobody answers")]
        pulls = Pulls(house.factory)
        pulls.step(house.factory, "t1")
        assert nothing_more(house.factory, pulls)


def test_nothing_is_asked_before_a_limit_is_over(hub: Hub) -> None:
    with road(hub) as house:
        house.take_in()
        house.attempt("t1")
        hub.forge.troubles = [ForgeDown("rate limit", retry_after=100.0)]
        pulls = Pulls(house.factory)
        pulls.step(house.factory, "t1")
        assert pulls.due() == [] and not pulls.has_unseen()
        assert 50 < (pulls.next_due() or 0) <= 100
        record = house.factory.queue.record("t1")
        assert record and record.reason.startswith("rate limit; see that its host")


def test_work_of_the_users_holds_up_the_checkout_alone(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        head = work(house).pending or ""
        (hub.checkout.root / "a.py").write_text("mine\n")
        hub.forge.merge(1, head, "squash", "by hand", "")
        record = work(house)
        assert record.in_review and "merged; the local main" in record.reason
        (hub.checkout.root / "a.py").unlink()
        assert work(house).state is State.DONE
        assert (hub.checkout.root / "a.py").read_text() == "a = 1\n"


def test_a_local_target_with_commits_of_its_own_stays(hub: Hub) -> None:
    with road(hub, forge__merge="manual") as house:
        head = work(house).pending or ""
        mine = hub.checkout.commit({"mine.txt": "mine"})
        hub.forge.merge(1, head, "squash", "by hand", "")
        assert work(house).state is State.DONE
        assert hub.checkout.git("rev-parse", "main") == mine
        assert "target.unfollowed" in house.names("t1")


def test_what_depends_on_a_merge_waits_until_the_local_target_holds_it(hub: Hub) -> None:
    drop(hub.checkout, "t2", files=["b.py"], depends_on=["t1"], land="branch")
    with road(hub, [ONE, whole(b_py="b = 1\n")], forge__merge="manual") as house:
        head = work(house).pending or ""
        hub.checkout.commit({"mine.txt": "mine"})
        hub.forge.merge(1, head, "squash", "by hand, without a trailer", "")
        assert work(house).state is State.DONE
        record = house.factory.queue.record("t2")
        assert record and record.state is State.BLOCKED and record.attempts == 0
        assert record.reason == (
            "waits until the local branch holds `t1`, which the forge has merged: pull by hand"
        )
        hub.checkout.git("pull", "--quiet", "--rebase", "origin", "main")
        work(house)
        record = house.factory.queue.record("t2")
        assert record and record.state is State.READY
        pending = record.pending or ""
        assert hub.checkout.git("show", f"{pending}:a.py") == "a = 1"
