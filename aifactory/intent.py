"""What one landing is about to change: the body of a journal's begin record."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from aifactory.git import Entry

Side = Literal["old", "new"]


@dataclass(frozen=True)
class Worktree:
    """A checkout of the user's: its top and its own Git directory (index, HEAD, MERGE_HEAD)."""

    root: Path
    git_dir: Path

    @property
    def index(self) -> Path:
        return self.git_dir / "index"

    @property
    def index_lock(self) -> Path:
        return self.git_dir / "index.lock"


class Move(NamedTuple):
    """One path: its entry in the index, and mode and blob id of its bytes on the disk.

    The two differ where Git converts line ends on the way to the disk. None stands for absent.
    """

    path: str
    old: Entry | None
    new: Entry | None
    had: Entry | None
    gets: Entry | None

    def entry(self, side: Side) -> Entry | None:
        return self.old if side == "old" else self.new

    def bytes_at(self, side: Side) -> Entry | None:
        return self.had if side == "old" else self.gets


class Landing(NamedTuple):
    """A task that lands in this operation."""

    task_id: str
    attempt: int
    commit: str


@dataclass(frozen=True)
class Intent:
    """One operation: the target goes from `old` (`""`: unborn) to `new`, the checkout follows."""

    op: str
    target: str
    old: str
    new: str
    tasks: tuple[Landing, ...]
    worktree: Worktree | None
    moves: tuple[Move, ...] = ()
    made: tuple[str, ...] = ()  # directories that are made for it
    modes: bool = True  # whether the file system keeps the executable bit

    def record(self, common: Path) -> dict[str, Any]:
        """As JSON for the journal, places relative to the common Git directory: a repository that
        was moved while the daemon was down recovers where it is now."""
        where = self.worktree and [
            os.path.relpath(folder, common)
            for folder in (self.worktree.root, self.worktree.git_dir)
        ]
        return {
            "target": self.target,
            "old": self.old,
            "new": self.new,
            "tasks": [list(task) for task in self.tasks],
            "worktree": where,
            "moves": [list(move) for move in self.moves],
            "made": list(self.made),
            "modes": self.modes,
        }

    @classmethod
    def of(cls, record: Mapping[str, Any], common: Path) -> Intent:
        """Back from the journal."""
        where = record["worktree"]
        return cls(
            op=record["op"],
            target=record["target"],
            old=record["old"],
            new=record["new"],
            tasks=tuple(Landing(*task) for task in record["tasks"]),
            worktree=Worktree(*((common / part).resolve() for part in where)) if where else None,
            moves=tuple(_move(*fields) for fields in record["moves"]),
            made=tuple(record["made"]),
            modes=record["modes"],
        )


def _move(path: str, *entries: list[str] | None) -> Move:
    old, new, had, gets = (Entry(*entry) if entry else None for entry in entries)
    return Move(path, old, new, had, gets)
