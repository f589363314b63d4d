"""Files that the ledger knows byte by byte are not examined again, and nothing else changes."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aifactory import intake
from aifactory.model import State
from aifactory.queue import folder
from tests.conftest import Checkout
from tests.house import House, drop, opened

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
IDS = ("one", "two", "three")
DOCUMENTS = st.one_of(
    st.fixed_dictionaries(
        {"task_id": st.sampled_from(IDS), "description": st.sampled_from(["do it", "do more"])},
        optional={
            "priority": st.sampled_from([1, 10, "high", -5]),
            "status": st.sampled_from(["pending", "completed", "unheard of"]),
            "depends_on": st.sampled_from([[], ["one"], ["three"]]),
            "files": st.sampled_from([["a.py"], ["../a.py"]]),
            "colour": st.just("blue"),
        },
    ),
    st.fixed_dictionaries({"id": st.sampled_from(IDS), "intent": st.just("do it")}),
)
FILES = st.dictionaries(
    st.sampled_from(["a.json", "b.json", "c.json", "d.json"]),
    st.tuples(DOCUMENTS, st.sampled_from([None, 1])).map(
        lambda given: json.dumps(given[0], indent=given[1])
    ),
)
ENDS = st.dictionaries(st.sampled_from(IDS), st.sampled_from(["cancelled", "failed", "refused"]))


def write(checkout: Checkout, files: dict[str, str]) -> None:
    tasks = checkout.root / "tasks"
    shutil.rmtree(tasks, ignore_errors=True)
    tasks.mkdir()
    for name, text in files.items():
        (tasks / name).write_text(text)


def close(house: House, ends: dict[str, str]) -> None:
    """Close tasks in one way or the other, and move them into the ledger."""
    for task_id, end in ends.items():
        record = house.factory.queue.records.get(task_id)
        if record and record.state is State.QUEUED:
            house.factory.queue.change(task_id, f"task.{end}")
    house.factory.queue.archive()


@contextmanager
def asking_from(many: int) -> Iterator[None]:
    """From so many new files on, the ledger is asked for all that is closed."""
    before, folder.MANY = folder.MANY, many
    try:
        yield
    finally:
        folder.MANY = before


def start(checkout: Checkout, many: int) -> Any:
    """What a start without the caches of an earlier run makes of the files, as others see it."""
    shutil.rmtree(checkout.root / ".git" / "aifactory", ignore_errors=True)
    with asking_from(many), opened(checkout) as house:
        house.take_in()
        house.take_in()
        queue = house.factory.queue
        ready = queue.runnable()
        told = [
            (one.name, one.task, one.data)
            for one in house.events
            if not one.name.startswith("daemon.")
        ]
        states = {i: (r.state, r.digest, r.file, r.reason) for i, r in queue.records.items()}
        return ready, told, states, queue.ended_badly


@settings(max_examples=10, phases=(Phase.explicit, Phase.generate))
@given(before=FILES, ends=ENDS, after=FILES, kept=st.booleans())
def test_files_that_are_recognised_and_files_that_are_read_come_to_the_same(
    before: dict[str, str], ends: dict[str, str], after: dict[str, str], kept: bool
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as scratch, pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "_SETTLED_NS", -1)
        checkout = Checkout(Path(scratch, "repo"))
        checkout.root.mkdir()
        checkout.git("init", "-q", "-b", "main")
        checkout.commit({"a.py": "a\n"})
        write(checkout, before)
        with opened(checkout) as house:
            house.take_in()
            close(house, ends)
        write(checkout, {**before, **after} if kept else after)
        shutil.copytree(checkout.root, Path(scratch, "other"))
        other = Checkout(Path(scratch, "other"))
        assert start(checkout, many=1) == start(other, many=1000)


def test_a_file_of_a_closed_task_is_not_examined_in_a_fresh_clone(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_SETTLED_NS", -1)
    drop(checkout, "done")
    drop(checkout, "open")
    with opened(checkout) as house:
        house.take_in()
        close(house, {"done": "cancelled"})
    shutil.rmtree(checkout.root / ".git" / "aifactory")
    examined = []
    look = intake.look
    monkeypatch.setattr(intake, "look", lambda path: (examined.append(path.name), look(path))[1])
    with asking_from(1), opened(checkout) as house:
        house.take_in()
        assert examined == ["open.json"]
        drop(checkout, "done", description="something else")
        house.take_in()
        told = [event.data["problems"] for event in house.events if event.name == "file.refused"]
        assert len(told) == 1
        assert "known with other content" in told[0]


def test_a_second_file_with_the_id_of_a_closed_task_is_a_clash_as_ever(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_SETTLED_NS", -1)
    path = drop(checkout, "done")
    with opened(checkout) as house:
        house.take_in()
        close(house, {"done": "cancelled"})
        other = path.with_name("z.json")
        other.write_text(json.dumps({"task_id": "done", "description": "other"}))
        house.take_in()
        told = [event.data["file"] for event in house.events if event.name == "file.refused"]
        assert told == ["done.json", "z.json"]
        other.unlink()
        house.take_in()
        assert house.state("done") is State.CANCELLED
