"""The daemon is killed, starved and started side by side, and nothing is lost or done twice.

Short forms; `CRASH_POINTS=1 make crash` tries every point, `CRASH_KILLS=200` kills as often,
`CRASH_HARNESS=FILE` hands daemon.py to a program that crashes others at every system call.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.tools import found_by, mutants, tool

HERE = Path(__file__).parent
EVERY = os.environ.get("CRASH_POINTS", "140")
KILLS = int(os.environ.get("CRASH_KILLS", "3"))
HARNESS = os.environ.get("CRASH_HARNESS")
CROWD = os.environ.get("CRASH_CROWD", "--people 3 --commands 6 --kills 1")
SERVER = os.environ.get("CRASH_SERVER")
# In the long form every rule of the landing is broken in the daemon, too.
BROKEN = [name for name, one in mutants().items() if one.at] if EVERY == "1" else found_by("daemon")
MODES = ("tree", "proc", "torn", "EIO,ENOSPC", "reorder")


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", ["kill", "full", "eio"])
def test_at_every_step_it_comes_out_before_or_after_each_task(fault: str) -> None:
    found = tool("daemon_sweep", "--fault", fault, "--every", EVERY, "--from", "7")
    assert found["wrong"] == []
    assert set(found["ends"]) > {"0"}, "no run was cut off"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", ["cache", "repository"])
def test_a_full_disk_is_told_and_waited_for_and_then_everything_lands_once(what: str) -> None:
    found = tool("full_disk", what)
    assert 1 <= len(found["paused"]) <= 3  # once for each workspace that met it
    assert all("no space left while writing" in one for one in found["paused"])
    assert found["landed"] == found["calls"] == 3


@pytest.mark.timeout(7200)
def test_killed_at_random_everything_lands_once_and_no_attempt_asks_twice() -> None:
    tasks = str(min(50, 2 * KILLS))
    options = ["--tasks", tasks, "--kills", str(KILLS), "--seed", "206"]  # the first comes early
    found = tool("kills", *options, *(["--server", SERVER] if SERVER else []))
    assert found["kills"] > 0
    assert found["calls"] <= found["attempts"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_kill_of_the_daemon_finds_the_broken_rule(name: str) -> None:
    assert tool("daemon_sweep", "--mutant", name)["wrong"]


def test_what_a_daemon_saves_lasts_before_it_goes_on() -> None:
    assert tool("syncs", "--daemon") == {}


@pytest.mark.parametrize("name", found_by("sync"))
def test_a_missing_sync_of_the_daemon_is_found(name: str) -> None:
    assert tool("syncs", "--daemon", "--mutant", name)


@pytest.mark.timeout(1200)
def test_a_crowd_of_commands_on_few_tasks_is_served_or_refused_one_by_one() -> None:
    found = tool("crowd", *CROWD.split())
    assert found["granted"] and found["landed"]


if HARNESS:

    @pytest.mark.timeout(7200)
    @pytest.mark.parametrize("mode", MODES)
    def test_a_tool_that_crashes_at_system_calls_finds_nothing(mode: str) -> None:
        program = shlex.join([sys.executable, str(HERE / "daemon.py")])
        plain = " --plain" if mode == "reorder" else ""
        command = [sys.executable, str(HARNESS), "--mode", mode, "--ignore", "^cache/"]
        for name in ("setup", "run", "recover", "check"):
            command += [f"--{name}", f"{program} {name}{plain}"]
        done = subprocess.run([*command, "--seconds", "600"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:]
