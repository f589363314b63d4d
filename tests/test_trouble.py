"""A full disk, a broken disk, many people at once: nothing is lost, nothing is done twice."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aifactory import auto_agent, factory, lifecycle, opening, requests
from aifactory.enduring import enduring, of_machine
from aifactory.errors import DiskFull, EnvironmentUnusable
from aifactory.files import SyncFailed
from aifactory.layout import Layout
from aifactory.model import Event, State
from aifactory.opening import Options
from aifactory.sandbox import FakeSandbox
from tests.conftest import Checkout
from tests.house import drop, opened, whole

TASKS = 12


def scripted(checkout: Checkout, count: int) -> list[str]:
    """Task ids with a scripted answer each; the files have names that are like no other."""
    names = [f"{'abcdefghijklmnop'[n] * 6}" for n in range(count)]
    answers = {name: [{"text": f"```text:{name}.txt\n{name}\n```"}] for name in names}
    settings = '[model]\ndefault = "scripted/answers.json"\n'
    checkout.commit({"answers.json": json.dumps({"tasks": answers}), "aifactory.toml": settings})
    return names


def landed(checkout: Checkout) -> list[str]:
    form = "--format=%(trailers:key=Aifactory-Task,valueonly,separator=)"
    return sorted(checkout.git("log", form).split())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake cage, and trouble that is looked at again soon."""
    monkeypatch.setattr(opening, "cage_of", lambda *_: FakeSandbox())
    monkeypatch.setattr(factory, "TROUBLE_SECONDS", 0.2)


class Disk:
    """Calls of one function of `os` fail while it is `full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
        self.full = False
        self.failed = 0
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if self.full:
                self.failed += 1
                raise OSError(code, os.strerror(code))
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, call)


@pytest.mark.usefixtures("quick")
def test_on_a_full_disk_the_daemon_pauses_and_goes_on_when_there_is_room(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = scripted(checkout, 1)
    drop(checkout, name, files=[f"{name}.txt"])
    disk = Disk(monkeypatch, "write", errno.ENOSPC)
    told: list[Event] = []

    def watch(event: Event) -> None:
        told.append(event)
        if event.name == "model.answered":
            disk.full = True

    assert auto_agent.run(checkout.root, Options(once=True, readers=(watch,))) == 5
    assert "daemon.paused" in [event.name for event in told]
    assert "no space" in next(e for e in told if e.name == "daemon.paused").data["problems"].lower()
    disk.full = False
    assert disk.failed
    assert auto_agent.run(checkout.root, Options(once=True)) == 0
    assert landed(checkout) == [name]
    assert checkout.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.usefixtures("quick")
def test_the_daemon_goes_on_by_itself_when_there_is_room(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = scripted(checkout, 1)
    drop(checkout, name, files=[f"{name}.txt"])
    disk = Disk(monkeypatch, "write", errno.ENOSPC)
    told: list[str] = []

    def watch(event: Event) -> None:
        told.append(event.name)
        if event.name == "gate.finished" and told.count("gate.finished") == 1:
            disk.full = True
        if event.name == "daemon.paused":
            threading.Timer(1, lambda: setattr(disk, "full", False)).start()
        if event.name == "task.landed":
            os.kill(os.getpid(), signal.SIGTERM)

    assert auto_agent.run(checkout.root, Options(readers=(watch,))) == 130
    assert "daemon.paused" in told
    assert told.count("model.called") == 1
    assert landed(checkout) == [name]


def test_a_paid_answer_is_kept_in_the_reserve_of_a_full_disk(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.take_in()
        note, failed = house.factory.queue.note, []

        def full_once(task_id: str, event: str, **more: Any) -> Any:
            if event == "model.answered" and not failed:
                failed.append(event)
                raise DiskFull("no space")
            return note(task_id, event, **more)

        monkeypatch.setattr(house.factory.queue, "note", full_once)
        assert house.attempt("t1") is State.READY
        assert failed
        assert not (checkout.root / ".git/aifactory/reserve").exists()
        assert len(house.model.requests) == 1


def test_trouble_while_it_lands_never_makes_it_land_twice(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.take_in()
        house.attempt("t1")
        save = house.factory.ledger.save
        full = DiskFull("no space")

        def broken(*_: Any) -> None:
            raise full

        monkeypatch.setattr(house.factory.ledger, "save", broken)
        with pytest.raises(DiskFull):
            house.land("t1")
        assert landed(checkout) == ["t1"]
        assert house.state("t1") is State.READY
        monkeypatch.setattr(house.factory.ledger, "save", save)
        checkout.commit({"b.py": "somebody else\n"})
        lifecycle.resume(house.factory)
        assert house.state("t1") is State.DONE
        events = house.factory.ledger.events("t1")
        assert [event.name for event in events].count("task.landed") == 1
    assert landed(checkout) == ["t1"]


def test_a_cancel_that_comes_too_late_tells_what_landed(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.take_in()
        house.attempt("t1")
        land = house.factory.lander.land

        def cancelled_meanwhile(candidate: Any) -> Any:
            outcome = land(candidate)
            requests.post(house.factory.layout, "cancel", "t1", {})
            house.take_in()
            assert house.state("t1") is State.CANCELLED
            return outcome

        house.factory.lander.land = cancelled_meanwhile
        assert house.land("t1") is State.DONE


def test_after_a_failed_sync_the_process_ends_at_once(checkout: Checkout) -> None:
    ended: list[SyncFailed] = []
    with opened(checkout) as house:
        with pytest.raises(SyncFailed), enduring(house.factory, ended.append):
            raise SyncFailed("fsync of the journal failed")
        assert len(ended) == 1
        assert house.factory.trouble is None
    script = "from aifactory.enduring import end_at_once; from aifactory.files import SyncFailed\n"
    script += "import atexit; atexit.register(print, 'cleaned up')\nend_at_once(SyncFailed('gone'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (5, "")
    assert "recovers by itself" in done.stderr


def test_what_is_of_the_machine() -> None:
    assert isinstance(of_machine(OSError(errno.ENOSPC, "no space")), DiskFull)
    assert isinstance(of_machine(OSError(errno.EIO, "broken")), EnvironmentUnusable)
    assert of_machine(FileNotFoundError(errno.ENOENT, "gone")) is None
    assert of_machine(ValueError()) is None


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system that is soon full."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder]
        subprocess.run(mount, check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("room", [0, 60_000, 400_000])
def test_a_repository_on_a_full_file_system_loses_nothing(room: int) -> None:
    with small_disk(48) as folder:
        checkout = Checkout(folder / "repo")
        checkout.root.mkdir()
        checkout.git("init", "-q", "-b", "main")
        checkout.write({"mine.txt": "untracked\n"})
        (name,) = scripted(checkout, 1)
        drop(checkout, name, files=[f"{name}.txt"])
        ballast = folder / "ballast"
        ballast.write_bytes(b"")
        space = os.statvfs(folder)
        size = max(0, space.f_bavail * space.f_frsize - room)
        ballast.write_bytes(os.urandom(size))
        try:
            code = auto_agent.run(checkout.root, Options(once=True))
        except EnvironmentUnusable as error:
            code = error.exit_code
        assert code == 5
        ballast.unlink()
        assert auto_agent.run(checkout.root, Options(once=True)) == 0
        assert landed(checkout) == [name]
        assert (checkout.root / "mine.txt").read_text() == "untracked\n"


def commands(checkout: Checkout, *rows: tuple[str, ...]) -> list[subprocess.Popen[bytes]]:
    return [
        subprocess.Popen(
            [sys.executable, "-m", "aifactory", *row, "--repo", str(checkout.root)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for row in rows
    ]


@pytest.mark.parametrize("running", [True, False], ids=["daemon", "none"])
def test_wishes_of_many_processes_are_all_granted_once(checkout: Checkout, running: bool) -> None:
    for name in ("one", "two", "three"):
        drop(checkout, name, files=[f"{name}.txt"], land="approve")
    with opened(
        checkout, [whole(one_txt="1\n"), whole(two_txt="2\n"), whole(three_txt="3\n")]
    ) as h:
        h.take_in()
        for name in ("one", "two", "three"):
            h.attempt(name)
        rows = [("approve", "one"), ("approve", "two"), ("cancel", "three")]
        rows += [("add", f"words {n}", "--id", f"new-{n}") for n in range(2)]
        if running:
            started = commands(checkout, *rows)
            ends_at = time.monotonic() + 60
            while any(one.poll() is None for one in started) and time.monotonic() < ends_at:
                h.take_in()
                time.sleep(0.05)
            assert [one.wait() for one in started] == [0] * len(rows)
    if not running:
        started = commands(checkout, *rows)
        assert [one.wait() for one in started] == [0] * len(rows)
    with opened(checkout) as h:
        h.take_in()
        assert requests.pending(Layout(checkout.root, checkout.root / ".git")) == []
        wanted = ["ready", "ready", "cancelled", "queued", "queued"]
        names = ["one", "two", "three", "new-0", "new-1"]
        assert [h.state(name) for name in names] == wanted
        told = [event.name for event in h.factory.ledger.events("one")]
        assert told.count("proposal.approved") == 1
