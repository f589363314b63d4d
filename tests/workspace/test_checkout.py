"""A workspace holds exactly a tree, and holds it again after a command."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from aifactory.errors import DiskFull, EnvironmentUnusable, GitFailed
from aifactory.git import Entry, Repository, format_tree
from aifactory.workspace import Workspace
from tests.conftest import Checkout
from tests.workspace.helpers import BOTH, OWNER, content, tree


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
