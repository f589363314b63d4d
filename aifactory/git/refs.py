"""The names of a repository: branches, and the refs that hold our state."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aifactory import files
from aifactory.errors import GitFailed
from aifactory.git.command import Commands


@dataclass(frozen=True)
class Refs(Commands):
    """Git syncs a ref's file, never a directory, so the directories are synced here."""

    _lasting: set[Path] = field(default_factory=set, repr=False, compare=False)

    def refs(self, prefix: str) -> dict[str, str]:
        """Every ref below `prefix` with the id it holds."""
        out = self.run("for-each-ref", "--format=%(refname) %(objectname)", prefix)
        lines = (line.partition(" ") for line in out.decode().splitlines())
        return {ref: oid for ref, _, oid in lines}

    def is_ancestor(self, commit: str, tip: str) -> bool:
        """Whether a commit is in the history of another; both have to exist."""
        arguments = ["git", "merge-base", "--is-ancestor", commit, tip]
        done = subprocess.run(
            arguments, capture_output=True, env=self.environment(), cwd=self.root, check=False
        )
        if done.returncode not in (0, 1):
            raise GitFailed(f"git merge-base: {done.stderr.decode(errors='replace').strip()}")
        return done.returncode == 0

    def move_ref(
        self, ref: str, old: str, new: str, reason: str, env: Mapping[str, str] | None = None
    ) -> None:
        """Move one ref from `old` (`""`: absent) to `new`, with a reflog entry, lastingly.

        GitFailed when it does not hold `old` or another command has it locked.
        """
        arguments = ("update-ref", "--no-deref", "-m", reason, ref, new, old or self.null)
        self.run(*arguments, env=env)

    def sync_ref(self, ref: str) -> None:
        """Make a moved ref last: Git syncs the file, never the directories that name it."""
        files.sync_names((self.git_dir / ref).parent, self.git_dir)

    def update_refs(self, updates: Mapping[str, tuple[str, str]]) -> None:
        """Move refs from `(old, new)`, all of them or GitFailed; the null id stands for absent.

        Git moves several refs one after the other, so a crash may leave some moved
        (study, durability, section 0.4): put one ref in a call where that matters.
        """
        text = "".join(
            f"update {ref}\0{new}\0{old}\0" if new != self.null else f"delete {ref}\0{old}\0"
            for ref, (old, new) in updates.items()
        )
        folders = {(self.git_dir / ref).parent for ref in updates}
        lasting = {folder for folder in folders & self._lasting if folder.is_dir()}
        self.run("update-ref", "--no-deref", "-z", "--stdin", input=text.encode())
        for folder in folders:
            if folder not in lasting:  # Git makes directories as it needs them, and removes them
                files.sync_names(folder, self.git_dir)
                self._lasting.add(folder)
            elif folder.is_dir():
                files.sync_dir(folder)
