"""One command in a directory that a user names: it works there, and leaves nothing foreign."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aifactory.errors import InvalidInput, SandboxUnusable
from aifactory.layout import cache_home
from aifactory.model import CommandRecord
from aifactory.sandbox import Limits, Spec, choose
from aifactory.sandbox.confined import BACKENDS
from aifactory.sandbox.exec import run_in
from aifactory.sandbox.maker import maker
from tests.patience import once
from tests.sandbox.test_bounds import OURS, sleepers

PLACES = ["/tmp", str(Path.home())]


@pytest.fixture(params=PLACES)
def directory(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory as a user has it: ours, and for root also where nobody else can go."""
    path = Path(tempfile.mkdtemp(prefix="exec-test-", dir=request.param))
    path.chmod(0o755)
    (path / "file").write_text("one\n")
    (path / ".git").mkdir()
    (path / ".git" / "config").write_text("kept")
    yield path
    shutil.rmtree(path)


@dataclass(frozen=True)
class Shell:
    """Runs a script in a directory as `aifactory sandbox exec` does."""

    directory: Path
    backend: str

    def __call__(self, script: str) -> CommandRecord:
        spec = Spec(("bash", "-c", script), self.directory, limits=Limits(seconds=60))
        return run_in(choose(self.backend), spec)


@pytest.fixture(params=[backend.name for backend in BACKENDS])
def sh(request: pytest.FixtureRequest, directory: Path) -> Shell:
    return Shell(directory, request.param)


def test_changes_come_back_and_the_owner_stays(sh: Shell, directory: Path) -> None:
    record = sh(f"test $PWD = {directory} && echo two >> file && mkdir -p a/b && echo x > a/b/c")
    assert record.ok, record.output
    assert (directory / "file").read_text() == "one\ntwo\n"
    assert (directory / "a/b/c").read_text() == "x\n"
    assert {path.stat().st_uid for path in directory.rglob("*")} == {os.getuid()}
    assert sh("rm -r a; rm file").ok
    assert sorted(path.name for path in directory.iterdir()) == [".git"]


def test_git_is_neither_seen_nor_touched(sh: Shell, directory: Path) -> None:
    (directory / "sub" / ".git").mkdir(parents=True)
    record = sh(
        "ls .git/config sub/.git/. && exit 1; rm -r sub; mkdir -p .git/hooks new/.git; "
        "echo evil > .git/config; echo evil > new/.git/config; exit 0"
    )
    assert record.ok, record.output
    assert (directory / ".git" / "config").read_text() == "kept"
    assert not (directory / ".git" / "hooks").exists()
    assert (directory / "sub" / ".git").is_dir()
    assert not (directory / "new" / ".git").exists()
    assert record.details["left_behind"]


def test_links_and_modes_that_would_harm_stay_behind(sh: Shell, directory: Path) -> None:
    record = sh("ln -s /etc/shadow away; ln -s ../.. up; ln -s file inner; mkfifo pipe; "
                "cp /usr/bin/true program; chmod 4755 program")  # fmt: skip
    assert record.ok
    assert sorted(path.name for path in directory.iterdir()) == [".git", "file", "inner", "program"]
    assert stat.S_IMODE((directory / "program").stat().st_mode) == 0o755


def test_no_link_leads_outside_by_way_of_another(sh: Shell, directory: Path) -> None:
    """`z/..` is the directory above, though it reads like the directory itself."""
    assert sh("ln -s . z; ln -s z/../secret one; mkdir -p p/q; ln -s z/z/p/../../.. two; "
              "ln -s p/q deep; ln -s deep/../../../b three; ln -s ../p/q p/fine").ok  # fmt: skip
    links = sorted(path.name for path in directory.rglob("*") if path.is_symlink())
    assert links == ["deep", "fine", "z"]


def test_what_is_too_deep_for_a_path_stays_behind(sh: Shell, directory: Path) -> None:
    dig = "import os\nfor i in range(1500): os.mkdir('d' * 20); os.chdir('d' * 20)"
    record = sh(f'echo kept > kept; python3 -c "{dig}"')
    assert record.exit_code == 0
    assert any("too deep" in line for line in record.details["left_behind"])
    assert (directory / "kept").read_text() == "kept\n"
    assert list(cache_home().glob(f"exec-{maker()}-*")) == []
    assert sh("rm -r d*").ok


def test_changes_go_to_the_directory_that_was_named_wherever_it_has_moved(
    sh: Shell, directory: Path
) -> None:
    if os.geteuid() and sh.backend == "firejail":
        return  # there the command works in the directory itself
    moved, trap, length = Path(f"{directory}-moved"), Path(f"{directory}-trap"), f"9876{OURS}"
    trap.mkdir()

    def swap() -> None:
        directory.rename(moved)
        directory.symlink_to(trap)
        for pid in sleepers(length):
            os.kill(pid, signal.SIGKILL)

    try:
        with once(lambda: sleepers(length), swap):
            assert sh(f"sleep {length}; echo made > made").ok
        assert list(trap.iterdir()) == []
        assert (moved / "made").read_text() == "made\n"
    finally:
        directory.unlink()
        moved.rename(directory)
        trap.rmdir()


def test_output_can_be_opened_by_its_name(sh: Shell) -> None:
    assert sh("echo one > /dev/stdout; echo two > /dev/stderr").output == "one\ntwo\n"


def test_hard_links_to_elsewhere_are_not_written_through(sh: Shell, directory: Path) -> None:
    if os.geteuid() and sh.backend == "firejail":
        return  # there the command works in the directory itself
    outside = Path(f"{directory}-outside")
    outside.write_text("untouched")
    (directory / "hard").hardlink_to(outside)
    try:
        assert sh("echo changed > hard").ok
        assert outside.read_text() == "untouched"
        assert (directory / "hard").read_text() == "changed\n"
    finally:
        outside.unlink()


def test_an_environment_inside_is_shown_and_not_carried(sh: Shell, directory: Path) -> None:
    (directory / ".venv").mkdir()
    (directory / ".venv" / "module").write_text("x")
    script = "cat .venv/module && ! touch .venv/made && ! rm .venv/module"
    spec = Spec(("bash", "-c", script), directory, readable=(directory / ".venv",))
    assert run_in(choose(sh.backend), spec).ok
    assert [path.name for path in (directory / ".venv").iterdir()] == ["module"]


def test_what_is_made_unreadable_hides_nothing(sh: Shell, directory: Path) -> None:
    assert sh("mkdir -p shut/.git shut/kept; ln -s /etc shut/away; chmod 0 shut").ok
    (directory / "shut").chmod(0o700)
    assert sorted(path.name for path in (directory / "shut").iterdir()) == ["kept"]


def test_nonsense_is_said_to_be_so(directory: Path) -> None:
    for spec in (Spec((), directory), Spec(("",), directory), Spec(("true",), directory / "file")):
        with pytest.raises(InvalidInput):
            run_in(choose(), spec)


@pytest.mark.parametrize("place", ["/", "/usr", "/etc", "/home", str(Path.home())])
def test_what_is_too_much_to_open_is_not_even_copied(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aifactory.sandbox.exec.measure", lambda *_: pytest.fail("copied"))
    with pytest.raises(SandboxUnusable, match="too much to open"):
        run_in(choose(), Spec(("true",), Path(place)))


@pytest.mark.parametrize("backend", [backend.name for backend in BACKENDS])
def test_the_home_is_hidden_wherever_the_directory_is(backend: str) -> None:
    """firejail puts the user's home back into an empty /home unless it is named itself."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as secret, tempfile.TemporaryDirectory() as d:
        Path(secret, "key").write_text("secret")
        spec = Spec(("cat", f"{secret}/key"), Path(d), limits=Limits(seconds=60))
        record = run_in(choose(backend), spec)
        assert (record.ok, "secret" in record.output) == (False, False)
