"""What a caged command is, and what a cage can do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from aifactory.model import CommandRecord
from aifactory.sandbox.talk import Talk

MIB = 1024 * 1024
Sink = Callable[[Literal["stdout", "stderr"], bytes], None]


@dataclass(frozen=True)
class Limits:
    """The bounds of one command: all of its processes together, unless it says otherwise.

    `file_bytes` and `open_files` are per file and per process. `disk_bytes` and `disk_files`
    are what the command may add to its workspace; `temporary_bytes` bounds /tmp, /dev/shm and the
    home. Of the output `output_bytes` are kept, head and tail; past `output_cap` it is killed.
    """

    seconds: float = 600
    memory_bytes: int = 2048 * MIB
    processes: int = 256
    file_bytes: int = 256 * MIB
    disk_bytes: int = 512 * MIB
    disk_files: int = 12_000
    temporary_bytes: int = 256 * MIB
    open_files: int = 1024
    output_bytes: int = 200_000
    output_cap: int = 50_000_000


@dataclass(frozen=True)
class Spec:
    """One command: what to run, where, with which additions to a clean environment.

    `workspace` is the only writable tree and `readable` are the trees that are visible
    besides the system's, read-only, all at their own paths. When the daemon is root, the
    workspace's owner is the user that the command runs as. `mounted_at` shows the workspace at
    another path, for sandboxes that `can_move`; `masked` hides paths in it, for those that cannot.
    `network` is the socket of a `proxy`, alone in its directory; None: there is no network at all.
    """

    argv: tuple[str, ...]
    workspace: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()
    limits: Limits = Limits()
    network: Path | None = None
    mounted_at: Path | None = None
    masked: tuple[Path, ...] = ()

    @property
    def inside(self) -> Path:
        """Where the workspace is inside the cage."""
        return self.mounted_at or self.workspace


class Sandbox(Protocol):
    """The cage. It returns a record of what the command did, or raises SandboxUnusable.

    `talk` connects the command's standard streams to a Talk, and ends when that is closing.
    """

    @property
    def name(self) -> str: ...

    def run(self, spec: Spec, stop: threading.Event | None = None) -> CommandRecord: ...

    def talk(self, spec: Spec, talk: Talk) -> CommandRecord: ...
