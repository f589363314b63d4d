"""Tests that are set aside by name, until a day."""

from __future__ import annotations

from aifactory.flakes import Flakes
from aifactory.git import discover
from tests.conftest import Checkout


def test_what_is_set_aside_stands_in_git_until_its_day(checkout: Checkout) -> None:
    repository = discover(checkout.root)
    flakes = Flakes(repository)
    assert flakes.active() == []
    (added,) = flakes.add(["t.py::test_a"], "pytest", "t1", days=2)
    assert Flakes(repository).active() == [added]
    assert (added.found_by, added.times, added.active) == ("t1", 1, True)
    assert checkout.git("show", "refs/aifactory/flakes:flakes.json")
    repository.close()


def test_found_again_it_counts_its_times_and_lasts_longer(checkout: Checkout) -> None:
    repository = discover(checkout.root)
    flakes = Flakes(repository)
    (first,) = flakes.add(["t.py::test_a"], "pytest", "t1", days=1)
    (second,) = flakes.add(["t.py::test_a"], "pytest", "t2", days=3)
    assert (second.times, second.found_by) == (2, "t1")
    assert second.until > first.until
    flakes.add(["t.py::test_b"], "pytest", "t2", days=3)
    assert [flake.test for flake in flakes.active()] == ["t.py::test_a", "t.py::test_b"]
    repository.close()


def test_after_its_day_it_counts_again(checkout: Checkout) -> None:
    repository = discover(checkout.root)
    flakes = Flakes(repository)
    flakes.add(["t.py::test_a"], "pytest", "t1", days=-1)
    assert flakes.active() == []
    repository.close()
