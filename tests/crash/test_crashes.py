"""The landing is killed at every step; every rule of its protocol is broken once to be found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.tools import found_by, tool

HERE = Path(__file__).parent
NOTICED_BY = {
    "careless-swap": "test_waiting.py::test_an_edit_in_the_last_moment_before_the_exchange",
    "early-index": "test_landing.py::test_while_it_lands_the_user_can_commit_nothing",
    "no-fence": "test_recovery.py::test_a_git_child_that_outlived_its_daemon_is_ended_first",
}


def test_killed_at_every_step_it_comes_out_before_or_after() -> None:
    found = tool("sweep")
    assert found["wrong"] == []
    assert found["points"] > 70


def test_recovery_may_be_killed_too() -> None:
    found = tool("sweep", "--nested", "--every", "7")
    assert found["wrong"] == []


def test_what_went_before_a_decisive_point_lasts() -> None:
    assert tool("syncs") == {}


@pytest.mark.parametrize("name", found_by("kill"))
def test_a_kill_finds_the_broken_rule(name: str) -> None:
    options = ("--start", "21", "--every", "4", "--first")  # before that, nothing is visible
    assert tool("sweep", *options, "--mutant", name)["wrong"]


@pytest.mark.parametrize("name", found_by("sync"))
def test_a_missing_sync_is_found(name: str) -> None:
    assert tool("syncs", "--mutant", name)


@pytest.mark.parametrize("name", found_by("test"))
def test_a_test_notices_the_broken_rule(name: str) -> None:
    file, _, test = NOTICED_BY[name].partition("::")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [str(HERE.parent / "landing" / file), "-k", test]
    env = os.environ | {"CRASH_MUTANT": name}
    done = subprocess.run(command, env=env, cwd=HERE.parents[1], capture_output=True, check=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout.decode()
