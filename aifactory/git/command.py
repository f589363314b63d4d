"""One Git command on one repository."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aifactory.errors import DiskFull, GitFailed, GitKilled
from aifactory.git.environment import hardened


@dataclass(frozen=True)
class Commands:
    """Where Git works: `root` is the user's checkout, `git_dir` the common Git directory."""

    root: Path
    git_dir: Path
    object_format: str = "sha1"
    quarantine: Path | None = None

    @property
    def null(self) -> str:
        """The id that stands for "absent" in ref updates."""
        return "0" * (40 if self.object_format == "sha1" else 64)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return hardened(self.root, self.git_dir, self.quarantine) | dict(more or {})

    def run(
        self,
        *arguments: str,
        input: bytes = b"",
        env: Mapping[str, str] | None = None,
        ok: Sequence[int] = (0,),
    ) -> bytes:
        """Run one Git command and give its output; GitFailed when its exit code is not in `ok`."""
        done = subprocess.run(
            ["git", *arguments],
            input=input,
            capture_output=True,
            env=self.environment(env),
            cwd=self.root,
            check=False,
        )
        if done.returncode not in ok:
            said = done.stderr.decode(errors="replace").strip()
            if "No space left on device" in said:
                raise DiskFull(f"no space left for git {arguments[0]}: {said}")
            kind = GitKilled if done.returncode < 0 else GitFailed
            raise kind(f"git {' '.join(arguments[:3])} ended with {done.returncode}: {said}")
        return done.stdout
