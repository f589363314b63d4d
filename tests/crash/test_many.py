"""A start among thousands of closed tasks costs little more than one in an empty repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CLOSED = os.environ.get("CRASH_CLOSED", "1500")
OPEN = "200"
MORE = 0.5  # seconds of computing; wall time says nothing on a machine that others use

START = """
import json, resource, sys
from pathlib import Path
from aifactory import auto_agent, lifecycle
from aifactory.opening import Options, open_factory

def spent():
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)

before = spent()
with open_factory(Path(sys.argv[1]), Options()) as factory:
    lifecycle.resume(factory)
    factory.queue.take_in()
    ready = len(factory.queue.runnable())
print(json.dumps([spent() - before, ready]))
"""


def made(folder: Path, closed: str, opened: str) -> Path:
    command = [sys.executable, str(HERE / "many.py"), str(folder)]
    subprocess.run([*command, "--closed", closed, "--open", opened], check=True)
    return folder


def started(folder: Path) -> tuple[float, int]:
    """The seconds of computing until work could begin, and how many tasks could."""
    command = [sys.executable, "-c", START, str(folder)]
    done = subprocess.run(command, capture_output=True, check=True, cwd=HERE.parents[1])
    seconds, ready = json.loads(done.stdout)
    return seconds, ready


def fresh(folder: Path) -> tuple[float, int]:
    """The same as in a clone: without all that an earlier run left in .git/aifactory."""
    shutil.rmtree(folder / ".git" / "aifactory", ignore_errors=True)
    return started(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A repository in which nothing was done, and one in which much was."""
    place = tmp_path_factory.mktemp("many")
    return made(place / "empty", "0", "0"), made(place / "full", CLOSED, OPEN)


def test_a_start_costs_no_more_when_much_was_done_before(folders: tuple[Path, Path]) -> None:
    empty, full = folders
    assert started(full)[1] == int(OPEN)
    clean = min(started(empty)[0] for _ in range(3))
    crowded = [started(full) for _ in range(3)]
    assert {ready for _, ready in crowded} == {int(OPEN)}
    assert min(seconds for seconds, _ in crowded) - clean < MORE


def test_nor_where_nothing_but_the_history_was_kept(folders: tuple[Path, Path]) -> None:
    empty, full = folders
    assert fresh(full)[1] == int(OPEN)
    clean = min(fresh(empty)[0] for _ in range(3))
    assert min(fresh(full)[0] for _ in range(3)) - clean < MORE
