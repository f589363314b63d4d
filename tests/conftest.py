"""What tests share: real Git repositories, and scratch places that a sandbox can reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no fault of a property; in CI Hypothesis has a like profile of its own.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
if not os.environ.get("CI"):
    settings.load_profile("patient")

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


def pytest_sessionstart(session: pytest.Session) -> None:
    """In CI a missing sandbox is a failure of the whole run, never a skipped test."""
    if os.environ.get("CI") and not (shutil.which("firejail") or shutil.which("bwrap")):
        pytest.exit("neither firejail nor bubblewrap is installed", returncode=1)


@dataclass(frozen=True)
class Checkout:
    """A repository on disk, as its user sees it."""

    root: Path

    def git(self, *arguments: str) -> str:
        """The output of one Git command, without the last newline."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=os.environ | IDENTITY,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.removesuffix("\n")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes], message: str = "change") -> str:
        """Write the files, commit everything and give the commit's id."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def copy(self, root: Path) -> Checkout:
        """The same repository at another place."""
        return Checkout(shutil.copytree(self.root, root, symlinks=True))


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory that every user of the machine can enter, unlike `tmp_path` of root."""
    yield from temporary(None)


def temporary(place: Path | None) -> Iterator[Path]:
    """A directory below `place`, by default where the system has its temporary ones."""
    path = Path(tempfile.mkdtemp(prefix="aifactory-test-", dir=place)).resolve()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def bare_start(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository without a commit, which tests copy: making one takes ten times as long."""
    made = Checkout(tmp_path_factory.mktemp("start") / "repo")
    made.root.mkdir()
    made.git("init", "--quiet", "--initial-branch=main")
    for key in ("user.name", "user.email"):
        made.git("config", key, IDENTITY[f"GIT_AUTHOR_{key[5:].upper()}"])
    return made


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory, bare_start: Checkout) -> Checkout:
    """The same with one commit that holds a README."""
    made = bare_start.copy(tmp_path_factory.mktemp("start") / "repo")
    made.commit({"README.md": "# A repository\n"}, "first")
    return made


@pytest.fixture
def make_checkout(scratch: Path, bare_start: Checkout) -> Callable[..., Checkout]:
    """Makes repositories: `make_checkout("name", {"a.txt": "a"})` has one commit with that file."""

    def make(name: str = "repo", files: Mapping[str, str | bytes] | None = None) -> Checkout:
        checkout = bare_start.copy(scratch / name)
        if files is not None:
            checkout.commit(files, "first")
        return checkout

    return make


@pytest.fixture
def checkout(scratch: Path, first_start: Checkout) -> Checkout:
    """A repository with one commit that holds a README."""
    made = first_start.copy(scratch / "repo")
    made.git("update-index", "--refresh")  # it notes which files it means, not only which names
    return made
