"""Objects by the thousand: one `git cat-file` that stays."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from typing import IO

from aifactory.errors import GitFailed, GitKilled
from aifactory.git.command import Commands


class Batch:
    """One long-lived `git cat-file --batch`, shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, commands: Commands, name: str) -> tuple[str, str, bytes] | None:
        """Id, type and bytes of what is named so, as it is now; None when there is none."""
        if "\n" in name:
            return None
        with self._lock:
            pipe_in, pipe_out = self._pipes(commands)
            try:
                pipe_in.write(name.encode(errors="surrogateescape") + b"\n")
                pipe_in.flush()
            except BrokenPipeError as error:
                with contextlib.suppress(BrokenPipeError):
                    pipe_in.close()
                self._stop()
                raise GitKilled("git cat-file was killed") from error
            head = pipe_out.readline().rstrip(b"\n")
            if head.endswith((b" missing", b" ambiguous")):
                return None
            parts = head.rsplit(b" ", 2)
            if len(parts) != 3 or not parts[2].isdigit():
                self._stop()
                raise GitFailed(f"git cat-file answered {head.decode(errors='replace')!r}")
            data = pipe_out.read(int(parts[2]))
            pipe_out.read(1)
            return parts[0].decode(), parts[1].decode(), data

    def _pipes(self, commands: Commands) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._process = subprocess.Popen(
                ["git", "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=commands.environment(),
                cwd=commands.root,
                start_new_session=True,
            )
        assert self._process.stdin and self._process.stdout
        return self._process.stdin, self._process.stdout

    def _stop(self) -> None:
        if self._process is not None:
            assert self._process.stdin and self._process.stdout
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        with self._lock:
            self._stop()
