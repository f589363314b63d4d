"""The merge queue: what lands in which order, who is blamed, what a crash leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory import car, failpoints, requests
from aifactory.errors import SandboxUnusable
from aifactory.model import CommandRecord, State
from aifactory.sandbox import Spec
from aifactory.train import Train
from tests.conftest import Checkout
from tests.house import House, drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

GATE = {"gate__commands": ["check"]}


def gate(is_right: Callable[[Path], bool]) -> dict[str, Callable[[Spec], CommandRecord]]:
    """A cage in which `check` says what the tree deserves."""

    def check(spec: Spec) -> CommandRecord:
        code = 0 if is_right(spec.workspace) else 1
        return CommandRecord(
            argv=spec.argv, exit_code=code, output="" if code == 0 else "it is wrong"
        )

    return {"check": check}


def verified(house: House, *task_ids: str) -> None:
    """Each task with a proposal of its own, all made on the same base."""
    house.take_in()
    for task_id in task_ids:
        assert house.attempt(task_id) is State.READY


def landed(checkout: Checkout) -> list[str]:
    """The tasks on main, in the order of their commits."""
    out = checkout.git("log", "--reverse", "--format=%(trailers:key=Aifactory-Task,valueonly)")
    return out.split()


def started(house: House) -> int:
    return sum(event.name == "gate.finished" for event in house.events)


def test_what_was_verified_on_one_base_lands_by_priority_then_age(checkout: Checkout) -> None:
    answers = [whole(**{f"{name}_py": f"{name}\n"}) for name in "abc"]
    for name, priority in (("a", 10), ("b", 10), ("c", 1)):
        drop(checkout, name, files=[f"{name}.py"], priority=priority)
    with opened(checkout, [answers[2], *answers[:2]], **GATE) as house:
        verified(house, "c", "a", "b")
        house.ride(Train(house.factory, jobs=4))
        assert landed(checkout) == ["c", "a", "b"]
        journal = house.factory.layout.journal.read_text()
        assert journal.count('"t":"begin"') == 1, "they land together"
        assert started(house) == 3 + 2
    assert checkout.git("status", "--porcelain") == "?? tasks/"


def test_every_commit_is_gated_as_the_very_tree_that_lands(checkout: Checkout) -> None:
    names = [f"t{number:02}" for number in range(8)]
    for name in names:
        drop(checkout, name, files=[f"{name}.py"])
    answers = [whole(**{f"{name}_py": "x\n"}) for name in names]
    with opened(checkout, answers, **GATE) as house:
        verified(house, *names)
        house.ride(Train(house.factory, jobs=8))
        judged = {event.data["tree"] for event in house.events if event.name == "gate.finished"}
    assert landed(checkout) == names
    trees = checkout.git("log", "--format=%T", "--max-count=8").split()
    assert set(trees) <= judged
    checkout.git("fsck", "--strict")
    assert not list((checkout.root / ".git/aifactory/quarantine").iterdir())


def test_the_red_one_leaves_and_those_behind_it_land_without_it(checkout: Checkout) -> None:
    """Each is right by itself; with `a` landed, `b` is not."""
    for name in "abc":
        drop(checkout, name, files=[f"{name}.py"])
    answers = [whole(**{f"{name}_py": f"{name}\n"}) for name in "abc"]
    alone = gate(lambda tree: not all((tree / name).exists() for name in ("a.py", "b.py")))
    with opened(checkout, answers, alone, **GATE) as house:
        verified(house, "a", "b", "c")
        house.ride(Train(house.factory, jobs=4))
        assert landed(checkout) == ["a", "c"]
        assert house.state("b") is State.QUEUED
        record = house.factory.queue.record("b")
        assert record and record.charged == 0 and "verified on its own base" in record.reason
        evidence = house.factory.ledger.artifact("b", "gate-1.json") or b""
        assert b"it is wrong" in evidence


def test_a_conflict_with_one_ahead_is_no_conflict_until_that_has_landed(checkout: Checkout) -> None:
    """`a` is red on the new base, so `b`, which changes the same place, lands as it is."""
    for name in "ab":
        drop(checkout, name, files=["README.md"])
    answers = [whole(README_md=f"# {name}\n") for name in "ab"]
    bad = gate(
        lambda tree: not ((tree / "p.py").exists() and "a" in (tree / "README.md").read_text())
    )
    with opened(checkout, answers, bad, **GATE) as house:
        verified(house, "a", "b")
        checkout.commit({"p.py": "by a person\n"})
        house.ride(Train(house.factory, jobs=4))
        assert landed(checkout) == ["b"]
        assert house.state("a") is State.QUEUED


def test_a_conflict_with_what_has_landed_is_proposed_again(checkout: Checkout) -> None:
    for name in "ab":
        drop(checkout, name, files=["README.md"], max_attempts=1)
    answers = [whole(README_md=f"# {name}\n") for name in ("a", "b", "both")]
    with opened(checkout, answers, **GATE) as house:
        verified(house, "a", "b")
        house.ride(Train(house.factory, jobs=4))
        assert (house.state("a"), house.state("b")) == (State.DONE, State.QUEUED)
        assert house.attempt("b") is State.READY
        house.ride(Train(house.factory, jobs=4))
    assert landed(checkout) == ["a", "b"]


def test_work_of_the_users_holds_up_only_what_touches_it(checkout: Checkout) -> None:
    checkout.commit({"a.py": "1\n"})
    checkout.write({"a.py": "mine\n"})
    for name in "abc":
        drop(checkout, name, files=[f"{name}.py"])
    answers = [whole(**{f"{name}_py": f"{name}\n"}) for name in "abc"]
    with opened(checkout, answers, **GATE) as house:
        verified(house, "a", "b", "c")
        house.ride(Train(house.factory, jobs=4))
        assert landed(checkout) == ["b", "c"]
        record = house.factory.queue.record("a")
        assert record and record.state is State.READY and "a.py" in record.reason
        assert checkout.git("diff", "--name-only") == "a.py"


def test_a_target_that_moves_meanwhile_makes_the_train_anew(checkout: Checkout) -> None:
    for name in "ab":
        drop(checkout, name, files=[f"{name}.py"])
    answers = [whole(**{f"{name}_py": f"{name}\n"}) for name in "ab"]
    with opened(checkout, answers, **GATE) as house:
        verified(house, "a", "b")
        train = Train(house.factory, jobs=4)
        train.advance()
        checkout.commit({"p.py": "by a person\n"})
        house.ride(train)
    assert checkout.git("log", "--format=%an").split() == ["coder", "coder", "Ada", "Ada"]


def test_one_that_is_cancelled_under_way_leaves_the_train(checkout: Checkout) -> None:
    for name in "ab":
        drop(checkout, name, files=[f"{name}.py"])
    answers = [whole(**{f"{name}_py": f"{name}\n"}) for name in "ab"]
    with opened(checkout, answers, **GATE) as house:
        verified(house, "a", "b")
        checkout.commit({"p.py": "by a person\n"})
        train = Train(house.factory, jobs=4)
        train.advance()
        requests.post(house.factory.layout, "cancel", "a", {})
        house.take_in()
        house.ride(train)
        assert house.state("a") is State.CANCELLED
    assert landed(checkout) == ["b"]


def test_a_red_one_stops_the_gates_behind_it(checkout: Checkout) -> None:
    for name in "abc":
        drop(checkout, name, files=[f"{name}.py"])
    answers = [whole(**{f"{name}_py": f"{name}\n"}) for name in "abc"]
    with opened(checkout, answers, **GATE) as house:
        verified(house, "a", "b", "c")
        checkout.commit({"p.py": "by a person\n"})
        train = Train(house.factory, jobs=4)
        train.advance()
        first, second, third = train.to_gate(())
        for one in (first, second, third):
            one.begin()
        second.ok = False
        assert list(train.to_gate(())) == []
        assert (first.stop.is_set(), third.stop.is_set()) == (False, True)
        for one in (first, second, third):
            one.release()
        train.clear()


def test_nothing_is_coupled_behind_a_new_lock_file(checkout: Checkout) -> None:
    """What those behind it need is installed from what has landed, never from a proposal."""
    for name, path in (("a", "lock.txt"), ("b", "b.py")):
        drop(checkout, name, files=[path])
    answers = [whole(lock_txt="new\n"), whole(b_py="b\n")]
    with opened(checkout, answers, **GATE) as house:
        verified(house, "a", "b")
        checkout.commit({"p.py": "by a person\n"})
        environment = house.factory.config.environment.model_copy(
            update={"install": ("true",), "lock": ("lock.txt",)}
        )
        house.factory.config = house.factory.config.model_copy(update={"environment": environment})
        train = Train(house.factory, jobs=4)
        train.advance()
        assert [one.task_id for one in train.to_gate(())] == ["a"]
        train.clear()


def test_trouble_of_the_machine_blames_no_proposal(checkout: Checkout) -> None:
    drop(checkout, "a", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")], **GATE) as house:
        verified(house, "a")
        checkout.commit({"p.py": "by a person\n"})
        house.sandbox.results = {"check": SandboxUnusable("no cage")}
        with pytest.raises(SandboxUnusable):
            house.land("a")
        assert house.state("a") is State.READY
        house.sandbox.results = {}
        assert house.land("a") is State.DONE


class Crash(BaseException):
    """The process is gone: nothing of ours handles this."""


LANDING = [(name, 1) for name in failpoints.POINTS if name.startswith("landing.")]
EACH = [(name, turn) for name in ("publish.packed", "queue.told", "queue.saved") for turn in (1, 3)]


@pytest.mark.parametrize(("point", "turn"), [*LANDING, *EACH])
def test_a_crash_at_any_step_loses_nothing_and_lands_nothing_twice(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, point: str, turn: int
) -> None:
    names = ["a", "b", "c"]
    for name in names:
        drop(checkout, name, files=[f"{name}.py"])
    answers = [whole(**{f"{name}_py": f"{name}\n"}) for name in names]
    reached = 0

    def hit(name: str) -> None:
        nonlocal reached
        reached += name == point
        if name == point and reached == turn:
            raise Crash

    with contextlib.suppress(Crash), opened(checkout, answers, **GATE) as house:
        verified(house, *names)
        checkout.commit({"p.py": "by a person\n"})
        monkeypatch.setattr(failpoints, "hit", hit)
        house.ride(Train(house.factory, jobs=4))
    monkeypatch.setattr(failpoints, "hit", lambda name: None)
    with opened(checkout, ["never asked"], **GATE) as house:
        house.ride(Train(house.factory, jobs=4))
        assert [house.state(name) for name in names] == [State.DONE] * 3
        assert house.model.requests == []
    assert landed(checkout) == names
    assert checkout.git("status", "--porcelain") == ""
    checkout.git("fsck", "--strict")


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 8))
def test_the_culprit_is_found_by_halving(truth: Sequence[bool], slots: int) -> None:
    """`truth` is what each gate would say: the first red one is found, whoever is asked first."""
    verdicts: list[bool | None] = [None] * len(truth)
    after_red = 0
    while asked := list(car.to_gate(verdicts, [False] * len(truth)))[:slots]:
        after_red += False in verdicts
        for at in asked:
            verdicts[at] = truth[at]
    first = list(truth).index(False) if False in truth else len(truth)
    assert car.green(verdicts) == first
    assert False not in truth or verdicts[first] is False
    if slots == 1:
        assert after_red == 0, "one at a time, the front is asked first"
