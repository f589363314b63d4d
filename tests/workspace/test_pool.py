"""Slots of the pool: leased by one at a time, through crashes and beside other daemons."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aifactory.errors import EnvironmentUnusable
from aifactory.git import Repository, discover
from aifactory.layout import Layout
from aifactory.workspace import Workspaces
from tests.conftest import Checkout
from tests.workspace.helpers import BOTH, OWNER, content, plant, pool, tree


def test_as_many_slots_as_leased_at_once(repository: Repository, workspaces: Workspaces) -> None:
    with workspaces.lease() as first, workspaces.lease() as second:
        assert (first.number, second.number) == (1, 2)
        first.checkout(repository, tree(repository))
        assert content(second.path) == {}
    with workspaces.lease() as again:
        assert again.number == 1


def lease_briefly(workspaces: Workspaces) -> int:
    with workspaces.lease() as workspace:
        return workspace.number


def test_waits_for_a_free_slot(
    repository: Repository, workspaces: Workspaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aifactory.workspace.MOST_SLOTS", 2)
    with ThreadPoolExecutor(1) as other:
        with workspaces.lease():
            waiting = other.submit(lease_briefly, workspaces)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
            with pytest.raises(EnvironmentUnusable), pool(repository).lease():
                pass
        assert waiting.result(timeout=60) == 1


def test_two_processes_do_not_share_a_slot(repository: Repository) -> None:
    """A replay beside the daemon gets a slot of its own."""
    with pool(repository).lease() as first, pool(repository).lease() as second:
        assert first.path != second.path


def test_two_repositories_do_not_share_a_slot(
    make_checkout: Callable[..., Checkout], repository: Repository
) -> None:
    other = discover(make_checkout("other").root)
    with pool(repository).lease() as first, pool(other).lease() as second:
        assert first.number == second.number == 1
        assert first.path != second.path
    other.close()


def test_next_daemon_starts_warm(repository: Repository) -> None:
    before = pool(repository)
    with before.lease() as workspace:
        workspace.checkout(repository, tree(repository))
        inode = (workspace.path / "README.md").stat().st_ino
        (workspace.path / "src/app.py").write_text("left over")
    before.close()
    with pool(repository).lease() as workspace:
        workspace.checkout(repository, tree(repository))
        assert content(workspace.path) == BOTH
        assert (workspace.path / "README.md").stat().st_ino == inode


DOOMED = """
import os, sys, time
from pathlib import Path
from aifactory.git import discover
from aifactory.layout import Layout
from aifactory.workspace import Workspaces
repository = discover(Path(sys.argv[1]))
owner = eval(sys.argv[2])
layout = Layout(repository.root, repository.git_dir)
with Workspaces(repository, layout, lambda slot: owner).lease() as workspace:
    workspace.checkout(repository, repository.tree_of("HEAD"))
    print(workspace.path, flush=True)
    time.sleep(float(sys.argv[3]))
    while True:
        workspace.checkout(repository, "")
        workspace.checkout(repository, repository.tree_of("HEAD"))
"""


def test_slot_of_a_killed_daemon_is_made_anew(repository: Repository) -> None:
    """What a surviving command still writes goes nowhere: the directory is another one."""
    before = pool(repository)
    with before.lease() as workspace:
        workspace.checkout(repository, tree(repository))
    before.close()
    command = [sys.executable, "-c", DOOMED, str(repository.root), repr(OWNER), "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout
        path = Path(daemon.stdout.readline().strip())
        survivor = os.open(path, os.O_RDONLY)
        daemon.kill()
    with pool(repository).lease() as anew:
        assert anew.path == path
        anew.checkout(repository, tree(repository))
        assert os.fstat(survivor).st_nlink == 0
        assert content(anew.path) == BOTH
    os.close(survivor)


@pytest.mark.parametrize("milliseconds", [1, 7, 23])
def test_killed_in_the_middle_of_a_checkout(repository: Repository, milliseconds: int) -> None:
    Checkout(repository.root).commit({f"many/{number}.txt": "x" for number in range(300)})
    command = [sys.executable, "-c", DOOMED, str(repository.root), repr(OWNER), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout
        daemon.stdout.readline()
        time.sleep(milliseconds / 1000)
        daemon.kill()
    with pool(repository).lease() as workspace:
        workspace.checkout(repository, tree(repository))
        found = content(workspace.path)
    assert found.keys() == repository.tree("HEAD").keys()
    assert {found[f"many/{number}.txt"] for number in range(300)} == {b"x"}


def test_side_by_side(repository: Repository, workspaces: Workspaces) -> None:
    """Eight at once, each with a tree of its own, three times over."""

    def work(number: int) -> bool:
        files = {f"{number}/{name}": bytes([number]) for name in "abcdef"}
        with workspaces.lease() as workspace:
            workspace.checkout(repository, plant(repository, files))
            return content(workspace.path) == files

    with ThreadPoolExecutor(8) as together:
        assert all(together.map(work, [*range(8)] * 3))


def test_an_index_of_another_boot_is_not_believed(
    repository: Repository, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a file may have its stamp, but not its bytes."""
    before = pool(repository)
    with before.lease() as workspace:
        workspace.checkout(repository, tree(repository))
    before.close()
    (scratch / "boot").write_text("another boot")
    monkeypatch.setattr("aifactory.workspace._BOOT", scratch / "boot")
    with pool(repository).lease() as workspace:
        assert content(workspace.path) == {}


@pytest.mark.skipif(OWNER is None, reason="only root can make files of another user")
def test_a_place_that_somebody_else_made_is_refused(repository: Repository) -> None:
    cache = Layout(repository.root, repository.git_dir).cache
    cache.mkdir(parents=True)
    os.chown(cache, 54321, 54321)
    with (
        pytest.raises(EnvironmentUnusable, match="belongs to another user"),
        pool(repository).lease(),
    ):
        pass
    cache.rmdir()
    cache.symlink_to(repository.root)
    with pytest.raises(EnvironmentUnusable, match="is a link"), pool(repository).lease():
        pass
