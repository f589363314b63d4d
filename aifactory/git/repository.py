"""A repository as a whole, and how it is found."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aifactory.errors import GitFailed, NotARepository
from aifactory.git.environment import users_environment
from aifactory.git.objects import Identity
from aifactory.git.refs import Refs
from aifactory.git.store import Store


@dataclass(frozen=True)
class Repository(Store, Refs):
    """Objects and refs, and what the user's own Git says of the checkout."""

    def user_settings(self, pattern: str) -> dict[str, str]:
        """The settings whose lower-case names match, as the user's own Git sees them.

        Reading settings runs nothing; they are the user's, so the hardened environment is not used.
        """
        query = ["git", "-C", str(self.root), "config", "-z", "--get-regexp", pattern]
        done = subprocess.run(query, capture_output=True, env=users_environment(), check=False)
        if done.returncode not in (0, 1):
            raise GitFailed(f"git config: {done.stderr.decode(errors='replace').strip()}")
        records = done.stdout.decode(errors="surrogateescape").split("\0")[:-1]
        return {name: value for name, _, value in (one.partition("\n") for one in records)}

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Those of the paths that `.gitignore` files of the checkout mean; folders end in `/`."""
        asked = "\0".join(paths)
        if not asked:
            return set()
        # 128: a path lies beyond a link or in a submodule of the checkout; what is known is told
        out = self.run("check-ignore", "-z", "--stdin", "--no-index", input=os.fsencode(asked),
                       ok=(0, 1, 128))  # fmt: skip
        return set(os.fsdecode(out).split("\0")) - {""}

    def target(self) -> str:
        """The ref that is checked out at `root`, also when it has no commit yet.

        A linked worktree has its own HEAD, which only Git run from inside it reads.
        """
        query = ["git", "-C", str(self.root), "symbolic-ref", "--quiet", "HEAD"]
        done = subprocess.run(query, capture_output=True, env=users_environment(), check=False)
        if not (out := done.stdout.decode(errors="surrogateescape").strip()):
            raise GitFailed(
                "HEAD is detached: there is no branch to land on",
                next_step="check out a branch, or set [land] branch in aifactory.toml",
            )
        return out


def discover(start: Path) -> Repository:
    """The repository that contains `start`, as the user's own Git sees it."""
    query = ["git", "-C", str(start), "rev-parse", "--path-format=absolute", "--show-toplevel"]
    query += ["--git-common-dir", "--show-object-format"]
    env = users_environment() | {"LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(query, capture_output=True, env=env, check=False)
    except FileNotFoundError as error:
        raise GitFailed("there is no `git` on the PATH", next_step="install git") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        next_step = ""
        if found := re.search("dubious ownership in repository at '(.*)'", said):
            next_step = f"if you trust it: git config --global --add safe.directory {found[1]}"
        raise NotARepository(f"{start}: {said.splitlines()[0]}", next_step=next_step)
    root, git_dir, object_format = done.stdout.decode(errors="surrogateescape").splitlines()
    return Repository(Path(root), Path(git_dir), object_format)


def identity(repository: Repository, home: Path) -> Identity | None:
    """Who the user is, as their Git configuration and the repository's say; None if they do not."""
    from git.config import GitConfigParser

    own = (home / ".config" / "git" / "config", home / ".gitconfig")
    with GitConfigParser([*own, repository.git_dir / "config"], read_only=True) as settings:
        name, email = (str(settings.get_value("user", key, "")) for key in ("name", "email"))
    return Identity(name, email) if name and email else None
