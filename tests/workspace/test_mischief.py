"""Whatever a command did in its workspace, the next one meets it as it was."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aifactory.git import Repository
from aifactory.workspace import Workspace
from tests.conftest import Checkout
from tests.workspace.helpers import BOTH, content, plant, tree

# What a hostile command may leave behind. Each gets the workspace and a directory outside of it
# that holds a file `victim`; a command of the same user could do all of this.
Mischief = Callable[[Path, Path], None]


def make_read_only(root: Path, outside: Path) -> None:
    (root / "src/more").mkdir()
    (root / "src/more/file").write_text("x")
    for path in (root / "src/more", root / "src", root):
        path.chmod(0o555)


def forbid_all(root: Path, outside: Path) -> None:
    (root / "src/app.py").chmod(0)
    (root / "src").chmod(0)
    (root / "dark").mkdir()
    (root / "dark/file").write_text("x")
    (root / "dark").chmod(0)
    root.chmod(0)


def link_the_folder_away(root: Path, outside: Path) -> None:
    (root / "src").rename(root / "hidden")
    (outside / "app.py").write_text("the user's\n")
    (root / "src").symlink_to(outside)


def link_the_file_away(root: Path, outside: Path) -> None:
    (root / "src/app.py").unlink()
    (root / "src/app.py").symlink_to(outside / "victim")
    (root / "README.md").unlink()
    (root / "README.md").symlink_to("/dev/zero")


def share_an_inode(root: Path, outside: Path) -> None:
    (root / "README.md").unlink()
    os.link(outside / "victim", root / "README.md")
    os.link(root / "src/app.py", root / "second")


def plant_special_files(root: Path, outside: Path) -> None:
    (root / "README.md").unlink()
    os.mkfifo(root / "README.md")
    os.mkfifo(root / "src/pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s"))


def swap_kinds(root: Path, outside: Path) -> None:
    (root / "README.md").unlink()
    (root / "README.md").mkdir()
    (root / "README.md/x").write_text("x")
    (root / "src/app.py").unlink()
    (root / "src").rmdir()
    (root / "src").write_text("a file")


def set_the_clock_back(root: Path, outside: Path) -> None:
    """Other bytes of the same size in the same inode, with the old time of change."""
    path = root / "src/app.py"
    before = path.stat()
    with path.open("r+") as file:
        file.write("print(9)\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def plant_git(root: Path, outside: Path) -> None:
    (root / ".git").write_text(f"gitdir: {outside}\n")
    (root / "src/.git/hooks").mkdir(parents=True)
    (root / "src/.git/hooks/post-checkout").write_text("#!/bin/sh\ntouch /tmp/ran\n")
    (root / ".gitignore").write_text("*\n")
    (root / ".gitattributes").write_text("* text eol=crlf\n")


def use_odd_names(root: Path, outside: Path) -> None:
    for name in (b"new\nline", b"\xff\xfe", b"-rf", b"*", b" ", b"a" * 255, b"\xe2\x80\xae"):
        (root / os.fsdecode(name)).write_text("x")


def dig_deep(root: Path, outside: Path) -> None:
    """Deeper than any path may be long, and than Python calls itself."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(1050):
        os.mkdir("d" * 20, dir_fd=fd)
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


def take_everything(root: Path, outside: Path) -> None:
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


MISCHIEF: list[Mischief] = [
    make_read_only,
    forbid_all,
    link_the_folder_away,
    link_the_file_away,
    share_an_inode,
    plant_special_files,
    swap_kinds,
    set_the_clock_back,
    plant_git,
    use_odd_names,
    dig_deep,
    take_everything,
]


@pytest.mark.parametrize("mischief", MISCHIEF, ids=lambda deed: str(deed.__name__))
@pytest.mark.parametrize("again", ["checkout", "restore"])
def test_mischief_is_undone(
    repository: Repository, workspace: Workspace, scratch: Path, mischief: Mischief, again: str
) -> None:
    outside = scratch / "outside"
    outside.mkdir()
    (outside / "victim").write_text("the user's\n")
    workspace.checkout(repository, tree(repository))
    mischief(workspace.path, outside)
    planted = content(outside)
    if again == "checkout":
        workspace.checkout(repository, tree(repository))
    else:
        workspace.restore()
    assert content(workspace.path) == BOTH
    assert {path.name for path in workspace.path.rglob("*")} == {"README.md", "src", "app.py"}
    for path in (workspace.path, workspace.path / "src"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert content(outside) == planted
    assert list(workspace.path.parent.joinpath("trash").iterdir()) == []


@pytest.mark.parametrize("mischief", [link_the_folder_away, swap_kinds, use_odd_names])
def test_only_the_damage_is_mended(
    repository: Repository, workspace: Workspace, scratch: Path, mischief: Mischief
) -> None:
    commit = Checkout(repository.root).commit({"kept": "1"})
    workspace.checkout(repository, repository.tree_of(commit))
    before = (workspace.path / "kept").stat().st_ctime_ns
    (scratch / "outside").mkdir()
    mischief(workspace.path, scratch / "outside")
    workspace.checkout(repository, repository.tree_of(commit))
    assert (workspace.path / "kept").stat().st_ctime_ns == before


NAMES = st.sampled_from(["a", "b", "README.md", "src", "app.py", "x y", "é"])


TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=20), max_size=6
).map(lambda files: {path: data for path, data in files.items() if not _below_a_file(path, files)})


STEPS = st.lists(st.sampled_from([deed for deed in MISCHIEF if deed is not dig_deep]), max_size=4)


def _below_a_file(path: str, files: Mapping[str, bytes]) -> bool:
    return any(str(parent) in files for parent in PurePosixPath(path).parents)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=TREES, second=TREES, steps=STEPS)
def test_any_tree_after_any_mischief(
    repository: Repository,
    workspace: Workspace,
    scratch: Path,
    first: dict[str, bytes],
    second: dict[str, bytes],
    steps: list[Mischief],
) -> None:
    outside = scratch / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "victim").write_text("the user's\n")
    workspace.checkout(repository, plant(repository, first))
    for deed in steps:
        with contextlib.suppress(OSError):
            deed(workspace.path, outside)
    planted = content(outside)
    workspace.checkout(repository, plant(repository, second))
    assert content(workspace.path) == second
    folders = {path for path in workspace.path.rglob("*") if path.is_dir()}
    assert folders == {
        workspace.path / parent
        for path in second
        for parent in PurePosixPath(path).parents
        if parent.name
    }
    assert content(outside) == planted
