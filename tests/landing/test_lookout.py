"""The owner's later checks: the commit that turns them red is found and taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aifactory.layout import WATCHED_REF
from aifactory.lookout import Lookout
from aifactory.model import CommandRecord, State
from aifactory.sandbox import Spec
from tests.conftest import Checkout
from tests.house import House, drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

WATCH = {"land__watch": ["slow"]}


def slow(is_right: Callable[[Path], bool]) -> dict[str, Callable[[Spec], CommandRecord]]:
    """A cage in which the later check says what the tree deserves."""
    return {
        "slow": lambda spec: CommandRecord(argv=spec.argv, exit_code=not is_right(spec.workspace))
    }


def land(house: House, *names: str) -> None:
    house.take_in()
    for name in names:
        assert house.attempt(name) is State.READY
        assert house.land(name) is State.DONE


def tasks(checkout: Checkout, names: str) -> list[str]:
    for name in names:
        drop(checkout, name, files=[f"{name}.py"])
    return [whole(**{f"{name}_py": f"{name}\n"}) for name in names]


def test_the_commit_to_blame_among_many_is_taken_back(checkout: Checkout) -> None:
    answers = tasks(checkout, "abcdefg")
    results = slow(lambda tree: not (tree / "e.py").exists())
    with opened(checkout, answers, results, **WATCH) as house:
        lookout = Lookout(house.factory)
        assert lookout.is_due
        lookout.look()
        land(house, *"abcdefg")
        blamed = checkout.git("log", "-1", "--format=%H", "--grep=Aifactory-Task: e")
        looks = len(house.sandbox.ran)
        lookout.look()
        assert not lookout.is_due, "a tip is looked at once"
        assert len(house.sandbox.ran) - looks <= 2 + 3 * 2, "found by halving"
        told = [event for event in house.events if event.name == "watch.blamed"]
        assert [(event.task, event.data["commit"]) for event in told] == [("e", blamed)]
        house.work()
        assert house.state("revert-e") is State.DONE
        lookout.look()
        assert checkout.git("rev-parse", WATCHED_REF) == checkout.git("rev-parse", "HEAD")
    assert sorted(path.name for path in checkout.root.glob("?.py")) == [f"{n}.py" for n in "abcdfg"]


def test_of_two_that_are_to_blame_each_is_taken_back(checkout: Checkout) -> None:
    answers = tasks(checkout, "abcdef")
    results = slow(lambda tree: not ((tree / "b.py").exists() or (tree / "e.py").exists()))
    with opened(checkout, answers, results, **WATCH) as house:
        lookout = Lookout(house.factory)
        lookout.look()
        land(house, *"abcdef")
        for _ in range(2):
            lookout.look()
            house.work()
        lookout.look()
        told = [event.task for event in house.events if event.name == "watch.blamed"]
        assert told == ["b", "e"]
        assert checkout.git("rev-parse", WATCHED_REF) == checkout.git("rev-parse", "HEAD")
    assert sorted(path.name for path in checkout.root.glob("?.py")) == [f"{n}.py" for n in "acdf"]


def test_what_was_never_green_takes_nothing_back(checkout: Checkout) -> None:
    answers = tasks(checkout, "a")
    with opened(checkout, answers, slow(lambda tree: False), **WATCH) as house:
        lookout = Lookout(house.factory)
        lookout.look()
        land(house, "a")
        lookout.look()
        assert house.factory.queue.record("revert-a") is None
        assert "watch.red" in [event.name for event in house.events]


def test_a_commit_of_a_persons_is_named_and_stays(checkout: Checkout) -> None:
    results = slow(lambda tree: not (tree / "mine.py").exists())
    with opened(checkout, results=results, **WATCH) as house:
        lookout = Lookout(house.factory)
        lookout.look()
        mine = checkout.commit({"mine.py": "mine\n"})
        lookout.look()
        told = [event for event in house.events if event.name == "watch.blamed"]
        assert [(event.task, event.data["commit"]) for event in told] == [(None, mine)]
    assert checkout.git("rev-parse", "HEAD") == mine


def test_a_check_that_fails_once_and_not_again_blames_nobody(checkout: Checkout) -> None:
    answers = tasks(checkout, "a")
    codes = iter([0, 1, 0])
    results = {"slow": lambda spec: CommandRecord(argv=spec.argv, exit_code=next(codes))}
    with opened(checkout, answers, results, **WATCH) as house:
        lookout = Lookout(house.factory)
        lookout.look()
        land(house, "a")
        lookout.look()
        told = next(event for event in house.events if event.name == "watch.broken")
        assert "red once and green when tried again" in told.data["problems"]
        assert house.factory.queue.record("revert-a") is None


def test_nothing_is_looked_at_without_a_check(checkout: Checkout) -> None:
    with opened(checkout) as house:
        assert not Lookout(house.factory).is_due
