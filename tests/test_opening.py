"""What a start finds: another daemon, landed work without a ledger, a crowd of closed tasks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aifactory import pulse
from aifactory.errors import LockHeld
from aifactory.layout import Layout
from aifactory.model import State
from aifactory.opening import Options, open_factory
from tests.conftest import Checkout
from tests.house import drop, opened, whole

HOLD = """
import sys, time
from pathlib import Path
from aifactory.opening import Options, open_factory
with open_factory(Path(sys.argv[1]), Options()):
    print("open", flush=True)
    time.sleep(600)
"""


@contextmanager
def daemon(checkout: Checkout) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the factory open."""
    command = [sys.executable, "-c", HOLD, str(checkout.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def layout(checkout: Checkout) -> Layout:
    return Layout(checkout.root, checkout.root / ".git")


def test_a_second_daemon_is_refused_by_name_and_at_once(checkout: Checkout) -> None:
    with daemon(checkout) as first:
        with pytest.raises(LockHeld, match=f"pid {first.pid} ") as refused:
            open_factory(checkout.root, Options()).__enter__()
        assert refused.value.exit_code == 5
        assert first.poll() is None, "it was waited for"
    with open_factory(checkout.root, Options()):
        pass


def test_a_halted_daemon_keeps_its_lock_and_is_said_to_be_halted(checkout: Checkout) -> None:
    with daemon(checkout) as first:
        os.kill(first.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WNOWAIT)
        found = pulse.pulse(layout(checkout))
        assert (found.running, found.pid, found.stopped) == (True, first.pid, True)
        with pytest.raises(LockHeld, match="is stopped") as refused:
            open_factory(checkout.root, Options()).__enter__()
        assert f"kill -CONT {first.pid}" in refused.value.next_step
        os.kill(first.pid, signal.SIGCONT)
        os.waitid(os.P_PID, first.pid, os.WCONTINUED | os.WNOWAIT)
        assert not pulse.pulse(layout(checkout)).stopped
    assert not pulse.pulse(layout(checkout)).running


def test_a_process_id_that_was_used_again_is_nobody() -> None:
    signed = pulse.signature("")
    assert pulse.holder(signed) == (os.getpid(), False)
    tick = signed.rpartition(" ")[2]
    assert pulse.holder(signed.replace(f"tick {tick}", "tick 1")) == (None, False)


def test_work_that_a_fresh_clone_holds_is_not_done_again(
    checkout: Checkout, make_checkout: Callable[..., Checkout], tmp_path: Path
) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
    landed = checkout.git("rev-parse", "HEAD")
    clone = Checkout(tmp_path / "clone")
    checkout.git("clone", "-q", str(checkout.root), str(clone.root))
    drop(clone, "t1", files=["a.py"])
    drop(clone, "t2", files=["b.py"])
    with opened(clone, [whole(b_py="b\n")]) as house:
        house.work()
        record = house.factory.queue.record("t1")
        assert record and (record.state, record.commit) == (State.DONE, landed)
        assert "`aifactory retry t1`" in record.reason
        assert [request.task_id for request in house.model.requests] == ["t2"]
        house.factory.queue.archive()
    with opened(clone, [whole(a_py="again\n")]) as house:
        house.take_in()
        assert house.factory.queue.runnable() == []


def test_a_start_reads_again_only_the_files_that_changed(checkout: Checkout) -> None:
    for number in range(3):
        drop(checkout, f"t{number}", files=[f"{number}.py"])
    time.sleep(0.2)  # a file as young as the clock's step is read again, to be sure
    with opened(checkout, [whole(**{"0_py": "a\n"})]) as house:
        house.work()
        house.factory.queue.archive()
        kept = house.factory.queue.in_state(*State)
    assert layout(checkout).shelf.exists()
    drop(checkout, "t1", files=["1.py"], description="other words")
    with opened(checkout) as house:
        house.take_in()
        told = [event.data["file"] for event in house.events if event.name == "file.refused"]
        assert told == ["t1.json"]
        assert house.factory.queue.in_state(State.QUEUED) == [
            record for record in kept if record.state is State.QUEUED
        ]
