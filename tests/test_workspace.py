"""Workspaces: exactly the tree, whatever a command left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aifactory.errors import DiskFull, EnvironmentUnusable, GitFailed
from aifactory.git import Entry, Repository, discover, format_tree
from aifactory.layout import Layout
from aifactory.workspace import Workspace, Workspaces
from tests.conftest import Checkout

OWNER = (54321, 54321) if os.geteuid() == 0 else None


@pytest.fixture
def repository(
    make_checkout: Callable[..., Checkout], scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Repository]:
    monkeypatch.setenv("AIFACTORY_CACHE_DIR", str(scratch / "cache"))
    made = make_checkout(files={"README.md": "# A repository\n", "src/app.py": "print(1)\n"})
    repository = discover(made.root)
    yield repository
    repository.close()


@pytest.fixture
def workspaces(repository: Repository) -> Workspaces:
    return pool(repository)


@pytest.fixture
def workspace(workspaces: Workspaces) -> Iterator[Workspace]:
    with workspaces.lease() as leased:
        yield leased


def pool(repository: Repository) -> Workspaces:
    return Workspaces(repository, Layout(repository.root, repository.git_dir), lambda slot: OWNER)


def tree(repository: Repository) -> str:
    return repository.tree_of("HEAD")


def content(root: Path) -> dict[str, bytes | str]:
    """What stands below a directory, without following anything; folders are not listed."""
    found: dict[str, bytes | str] = {}
    for where, folders, names in os.walk(root):
        for name in [*names, *folders]:
            path = Path(where, name)
            if path.is_symlink():
                found[str(path.relative_to(root))] = f"-> {path.readlink()}"
            elif path.is_file():
                found[str(path.relative_to(root))] = path.read_bytes()
    return found


BOTH = {"README.md": b"# A repository\n", "src/app.py": b"print(1)\n"}


def test_checkout_holds_the_tree(repository: Repository, workspace: Workspace) -> None:
    workspace.checkout(repository, tree(repository))
    assert content(workspace.path) == BOTH
    assert stat.S_IMODE((workspace.path / "src/app.py").stat().st_mode) == 0o644


def test_restore_puts_back(repository: Repository, workspace: Workspace) -> None:
    workspace.checkout(repository, tree(repository))
    (workspace.path / "src/app.py").write_text("print(2)\n")
    (workspace.path / "README.md").unlink()
    (workspace.path / "conftest.py").write_text("raise SystemExit(0)\n")
    assert workspace.restore() == (["README.md", "src/app.py"], ["conftest.py"])
    assert content(workspace.path) == BOTH


def test_another_tree_and_back(
    make_checkout: Callable[..., Checkout], repository: Repository, workspace: Workspace
) -> None:
    first = tree(repository)
    user = Checkout(repository.root)
    user.git("mv", "src", "lib")
    user.commit({"src": "now a file\n", "new/deep/one.txt": "1\n"})
    workspace.checkout(repository, first)
    untouched = (workspace.path / "README.md").stat().st_ino
    workspace.checkout(repository, tree(repository))
    assert content(workspace.path) == {
        "README.md": b"# A repository\n",
        "lib/app.py": b"print(1)\n",
        "src": b"now a file\n",
        "new/deep/one.txt": b"1\n",
    }
    workspace.checkout(repository, first)
    assert content(workspace.path) == BOTH
    assert not (workspace.path / "new").exists()
    assert (workspace.path / "README.md").stat().st_ino == untouched


def test_every_kind_of_entry(repository: Repository, workspace: Workspace) -> None:
    user = Checkout(repository.root)
    user.commit({"run.sh": "#!/bin/sh\n", "empty": b"", "odd \n name": "1", "big": b"\0" * 300_000})
    (user.root / "run.sh").chmod(0o755)
    (user.root / "inside").symlink_to("src/app.py")
    (user.root / "outside").symlink_to("/etc/passwd")
    user.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    user.git("add", "run.sh", "inside", "outside")
    user.git("commit", "-qm", "kinds")
    workspace.checkout(repository, tree(repository))
    assert content(workspace.path) == BOTH | {
        "run.sh": b"#!/bin/sh\n",
        "empty": b"",
        "odd \n name": b"1",
        "big": b"\0" * 300_000,
        "inside": "-> src/app.py",
        "outside": "-> /etc/passwd",
    }
    assert stat.S_IMODE((workspace.path / "run.sh").stat().st_mode) == 0o755
    assert list((workspace.path / "module").iterdir()) == []
    (workspace.path / "module" / "planted").write_text("x")
    assert workspace.restore() == ([], ["module/planted"])


def test_bytes_are_the_blobs(repository: Repository, workspace: Workspace) -> None:
    """Neither attributes of the tree nor filters of the user's configuration change a byte."""
    user = Checkout(repository.root)
    blob = b"a\nb\r\n$Id$\n\xff"
    user.commit({"text.txt": blob})
    user.commit({".gitattributes": "* text=auto eol=crlf ident filter=planted\n"})
    ran = user.root / "ran"
    user.git("config", "filter.planted.smudge", f"touch {ran}; cat")
    user.git("config", "core.autocrlf", "true")
    workspace.checkout(repository, tree(repository))
    assert (workspace.path / "text.txt").read_bytes() == blob
    assert not ran.exists()


@pytest.mark.skipif(OWNER is None, reason="only root can give files to the user of a slot")
def test_owned_by_the_slot_but_not_its_parents(
    repository: Repository, workspace: Workspace
) -> None:
    user = Checkout(repository.root)
    (user.root / "link").symlink_to("README.md")
    user.commit({"a/b/c": "1"})
    workspace.checkout(repository, tree(repository))
    below = [workspace.path, *workspace.path.rglob("*")]
    assert {path.lstat().st_uid for path in below} == {54321}
    assert {path.lstat().st_gid for path in below} == {54321}
    home = workspace.path.parent
    for parent in (home, home.parent, home.parent.parent):
        assert parent.stat().st_uid == 0
        assert stat.S_IMODE(parent.stat().st_mode) == 0o711


def test_a_tree_with_git_in_it_is_refused(repository: Repository, workspace: Workspace) -> None:
    blob = repository.write("blob", b"[core]\n")
    inner = repository.write("tree", format_tree({"config": Entry("100644", blob)}))
    for name in (".git", ".GIT", "git~1", ".."):
        planted = repository.write("tree", format_tree({name: Entry("040000", inner)}))
        with pytest.raises(GitFailed, match="never checks out"):
            workspace.checkout(repository, planted)


def test_objects_of_a_quarantine(repository: Repository, workspace: Workspace) -> None:
    """A proposal's objects are seen through its view alone."""
    quarantine = repository.git_dir / "quarantine"
    quarantine.mkdir()
    view = Repository(repository.root, repository.git_dir, repository.object_format, quarantine)
    blob = view.write("blob", b"proposed\n")
    planned = view.write("tree", format_tree({"new.txt": Entry("100644", blob)}))
    workspace.checkout(view, planned)
    assert content(workspace.path) == {"new.txt": b"proposed\n"}
    view.close()


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


def plant(repository: Repository, files: Mapping[str, bytes]) -> str:
    """The id of a tree that holds these files."""
    here: dict[str, Entry] = {}
    below: dict[str, dict[str, bytes]] = {}
    for path, data in files.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = data
        else:
            here[name] = Entry("100644", repository.write("blob", data))
    for name, inner in below.items():
        here[name] = Entry("040000", plant(repository, inner))
    return repository.write("tree", format_tree(here))


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


def test_restore_names_only_what_differs(repository: Repository, workspace: Workspace) -> None:
    workspace.checkout(repository, tree(repository))
    os.utime(workspace.path / "README.md")
    (workspace.path / "src/app.py").write_text("print(1)\n")
    assert workspace.restore() == ([], [])
    (workspace.path / "README.md").chmod(0o755)
    assert workspace.restore() == (["README.md"], [])


def test_restore_keeps_what_the_owner_names(repository: Repository, workspace: Workspace) -> None:
    workspace.checkout(repository, tree(repository))
    for path in ("build/app", "src/__pycache__/app.pyc", "src/conftest.py"):
        (workspace.path / path).parent.mkdir(exist_ok=True)
        (workspace.path / path).write_text("x")
    found = workspace.restore(keep=["build/**", "**/__pycache__"])
    assert found == ([], ["src/conftest.py"])
    assert {"build/app", "src/__pycache__/app.pyc"} <= content(workspace.path).keys()
    workspace.checkout(repository, tree(repository))
    assert content(workspace.path) == BOTH


def test_read_takes_regular_files_only(
    repository: Repository, workspace: Workspace, scratch: Path
) -> None:
    workspace.checkout(repository, tree(repository))
    root = workspace.path
    (root / "link").symlink_to("/etc/passwd")
    (root / "folder").symlink_to("/etc")
    os.mkfifo(root / "pipe")
    (scratch / "secret").write_text("secret")
    os.link(scratch / "secret", root / "second-name")
    assert workspace.read("src/app.py", 1000) == b"print(1)\n"
    assert workspace.read("src/app.py", 9) == b"print(1)\n"
    for path in ("link", "folder/passwd", "pipe", "second-name", "src", "none", "", "/etc/passwd"):
        assert workspace.read(path, 10_000_000) is None, path
    assert workspace.read("../../../repo/README.md", 1000) is None
    assert workspace.read("src/../README.md", 1000) is None
    assert workspace.read("src/app.py", 8) is None
    assert workspace.read("nul\0", 8) is None


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
        assert waiting.result(timeout=10) == 1


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


def test_a_full_disk_is_told_and_got_over(
    repository: Repository, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []

    def write_one(fd: int, data: bytes) -> None:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(data)

    with monkeypatch.context() as patch:
        patch.setattr("aifactory.files.write_all", write_one)
        with pytest.raises(DiskFull):
            workspace.checkout(repository, tree(repository))
    workspace.checkout(repository, tree(repository))
    assert content(workspace.path) == BOTH


def test_what_cannot_stand_in_a_directory_is_an_error(
    repository: Repository, workspace: Workspace
) -> None:
    """Two attempts, then a failure of the environment: no half tree is ever judged."""
    blob = repository.write("blob", b"x" * 5000)
    planned = repository.write("tree", format_tree({"link": Entry("120000", blob)}))
    with pytest.raises(EnvironmentUnusable, match="cannot be made"):
        workspace.checkout(repository, planned)
    missing = repository.write("tree", format_tree({"gone": Entry("100644", "1" * 40)}))
    with pytest.raises(GitFailed, match="cannot be read"):
        workspace.checkout(repository, missing)
    workspace.checkout(repository, tree(repository))
    assert content(workspace.path) == BOTH
