"""Done work is skipped, whatever is dropped again, started anew, cloned, fetched or put away."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aifactory.model import State
from tests import memory
from tests.conftest import Checkout
from tests.house import drop, opened, whole

TASKS = ("one", "two", "three")
DONE_TO_IT = ("nothing", "tidied", "scratch removed", "cloned with all refs", "cloned", "pulled")
steps = st.lists(st.tuples(st.sampled_from(TASKS), st.sampled_from(DONE_TO_IT)), max_size=5)


class Place:
    """A repository that moves from clone to clone, and what was asked and landed on the way."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.asked: Counter[str] = Counter()
        self.checkout = Checkout(scratch / "0")
        self.checkout.root.mkdir()
        self.checkout.git("init", "-q", "-b", "main")
        self.own_up()
        self.checkout.commit({"a.txt": "a\n"})

    def own_up(self) -> None:
        for key, value in (("name", "Ada"), ("email", "ada@example.org")):
            self.checkout.git("config", f"user.{key}", value)

    def work(self, name: str, *, archived: bool) -> None:
        """Drop a task, and all that were done before it; let a daemon do what it takes in."""
        for task in {name, *self.asked}:
            drop(self.checkout, task, files=[f"{task}.py"])
        with opened(self.checkout, [whole(**{f"{name}_py": "x\n"})]) as house:
            house.work()
            self.asked.update(request.task_id for request in house.model.requests)
            assert {house.state(task) for task in self.asked} == {State.DONE}
            if archived:
                house.factory.queue.archive()

    def undergo(self, what: str) -> None:
        if what == "tidied":
            shutil.rmtree(self.checkout.root / "tasks")
        elif what == "scratch removed":
            shutil.rmtree(self.checkout.root / ".git" / "aifactory")
        elif what.startswith("cloned"):
            self.clone()
            if what == "cloned with all refs":
                self.checkout.git("fetch", "-q", "origin", "refs/aifactory/*:refs/aifactory/*")
        elif what == "pulled":
            self.pull_from_a_clone()

    def clone(self) -> None:
        source, target = self.checkout.root, self.scratch / str(len(list(self.scratch.iterdir())))
        self.checkout.git("clone", "-q", str(source), str(target))
        self.checkout = Checkout(target)
        self.own_up()

    def pull_from_a_clone(self) -> None:
        """What another machine landed comes into a repository with a ledger of its own."""
        here = self.checkout
        self.clone()
        self.work("elsewhere", archived=True)
        here.git("pull", "-q", "--ff-only", str(self.checkout.root), "main")
        self.checkout = here


@given(steps, st.booleans())
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_done_work_is_done_once(steps: list[tuple[str, str]], archived: bool) -> None:
    with tempfile.TemporaryDirectory(dir=memory.place()) as scratch:
        place = Place(Path(scratch))
        for name, happens in steps:
            place.work(name, archived=archived)
            place.undergo(happens)
        place.work("last", archived=archived)
        assert set(place.asked.values()) == {1}, place.asked
        landed = place.checkout.git("log", "--format=%(trailers:key=Aifactory-Task,valueonly)")
        assert sorted(landed.split()) == sorted(place.asked)
