"""What a command left in a workspace, taken out as files; files put in, whatever stands there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aifactory.errors import EditRefused
from aifactory.git import Repository, discover
from aifactory.harvest import File, Harvest, harvest, put
from aifactory.layout import Layout
from aifactory.workspace import Workspace, Workspaces
from tests.conftest import Checkout

FILES = {"a.py": "a\n", "run.sh": "#!/bin/sh\n", "pkg/b.py": "b\n", ".gitignore": "build/\n*.log\n"}


@pytest.fixture
def repository(
    make_checkout: Callable[..., Checkout], scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Repository]:
    monkeypatch.setenv("AIFACTORY_CACHE_DIR", str(scratch / "cache"))
    repository = discover(make_checkout(files=FILES).root)
    yield repository
    repository.close()


@pytest.fixture
def workspace(repository: Repository) -> Iterator[Workspace]:
    layout = Layout(repository.root, repository.git_dir)
    with Workspaces(repository, layout, lambda slot: None).lease() as leased:
        leased.checkout(repository, repository.tree_of("HEAD"))
        yield leased


def taken(workspace: Workspace, repository: Repository, most: int = 1 << 20) -> Harvest:
    return harvest(workspace, repository, most)


def test_what_nobody_touched_is_no_change(workspace: Workspace, repository: Repository) -> None:
    os.utime(workspace.path / "a.py")
    assert taken(workspace, repository) == Harvest()


def test_changed_new_and_gone_files_are_taken(workspace: Workspace, repository: Repository) -> None:
    (workspace.path / "a.py").write_text("A\n")
    (workspace.path / "run.sh").chmod(0o755)
    (workspace.path / "pkg/b.py").unlink()
    (workspace.path / "new/deep").mkdir(parents=True)
    (workspace.path / "new/deep/c.py").write_text("c\n")
    found = taken(workspace, repository)
    assert found.files == {
        "a.py": File(b"A\n", "100644"),
        "run.sh": File(b"#!/bin/sh\n", "100755"),
        "pkg/b.py": None,
        "new/deep/c.py": File(b"c\n", "100644"),
    }
    assert found.left == {}


def test_what_the_repository_ignores_and_caches_are_not_taken(
    workspace: Workspace, repository: Repository
) -> None:
    for name in ("build/x.o", "pkg/__pycache__/b.pyc", ".ruff_cache/1", "new/t.log", "new/t.txt"):
        path = workspace.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("made\n")
    assert set(taken(workspace, repository).files) == {"new/t.txt"}


def test_links_pipes_and_second_names_are_named_not_followed(
    workspace: Workspace, repository: Repository, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    (workspace.path / "a.py").unlink()
    (workspace.path / "a.py").symlink_to(secret)
    (workspace.path / "out").symlink_to(tmp_path)
    os.mkfifo(workspace.path / "pipe")
    (workspace.path / "one").write_text("1\n")
    (workspace.path / "two").hardlink_to(workspace.path / "one")
    found = taken(workspace, repository)
    assert set(found.left) == {"a.py", "out", "pipe", "one", "two"} and found.files == {}


def test_a_folder_in_the_place_of_a_link_and_back(
    workspace: Workspace, repository: Repository, tmp_path: Path
) -> None:
    (workspace.path / "pkg/b.py").unlink()
    (workspace.path / "pkg").rmdir()
    (workspace.path / "pkg").symlink_to(tmp_path)
    (tmp_path / "b.py").write_text("outside\n")
    found = taken(workspace, repository)
    assert found.files == {"pkg/b.py": None} and set(found.left) == {"pkg"}
    put(workspace, "pkg/b.py", File(b"new\n", "100644"))
    assert (tmp_path / "b.py").read_text() == "outside\n"
    assert taken(workspace, repository).files == {"pkg/b.py": File(b"new\n", "100644")}


def test_a_repository_that_a_command_makes_is_left(
    workspace: Workspace, repository: Repository
) -> None:
    (workspace.path / "sub/.git").mkdir(parents=True)
    (workspace.path / "sub/.git/config").write_text("[core]\n")
    assert taken(workspace, repository).files == {}


def test_more_than_may_be_written_is_refused(workspace: Workspace, repository: Repository) -> None:
    (workspace.path / "big").write_bytes(b"x" * 101)
    with pytest.raises(EditRefused, match="too large"):
        taken(workspace, repository, 100)


def test_files_are_put_where_anything_stood(workspace: Workspace, repository: Repository) -> None:
    (workspace.path / "dir").mkdir()
    (workspace.path / "dir/inside").write_text("x")
    put(workspace, "dir", File(b"file now\n", "100644"))
    put(workspace, "a.py/below", File(b"folder now\n", "100755"))
    put(workspace, "run.sh", None)
    put(workspace, "never/was", None)
    assert taken(workspace, repository).files == {
        "a.py": None,
        "a.py/below": File(b"folder now\n", "100755"),
        "dir": File(b"file now\n", "100644"),
        "run.sh": None,
    }
