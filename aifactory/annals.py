"""Which tasks the history of the target names as landed, by whomever and wherever.

The ledger knows what was done here; this knows the rest: work of before a clone, work that came
with a pull. The history is read whole once, then only what is new of it. What was read is kept in
a file, which may be deleted at any time; one that is damaged is not believed.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

from aifactory import files
from aifactory.git import Repository
from aifactory.trailers import landed_tasks

SAVED_AFTER = 500  # landings; the first look of a run saves, too


@dataclass(eq=False)
class Annals:
    """The landings in the history of one branch. `path` is the file that keeps them."""

    repository: Repository
    target: str
    path: Path
    _tip: str = field(default="", init=False)
    _commits: dict[str, str] = field(default_factory=dict, init=False)
    _saved: int = field(default=-SAVED_AFTER, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def commit_of(self, task_id: str) -> str | None:
        """The last commit in the target's history that landed this task, or None."""
        with self._lock:
            tip = self.repository.tip(self.target) or ""
            if tip and tip != self._tip:
                self._catch_up(tip)
            return self._commits.get(task_id) if tip else None

    def _catch_up(self, tip: str) -> None:
        if not self._tip:
            self._tip, self._commits = self._read()
        if not self._tip or not self._goes_on(tip):
            self._tip, self._commits = "", {}
        self._commits |= landed_tasks(self.repository, tip, self._tip)
        self._tip = tip
        if len(self._commits) - self._saved >= SAVED_AFTER:
            self._save()

    def _goes_on(self, tip: str) -> bool:
        """Whether what was read is a part of this history still: nobody wrote it anew."""
        held = self.repository.object(self._tip)
        return held is not None and self.repository.is_ancestor(self._tip, tip)

    def _read(self) -> tuple[str, dict[str, str]]:
        """The tip that the file stands for, with its landings; `""` where it cannot be trusted."""
        try:
            digest, head, *lines = self.path.read_text().splitlines()
        except (OSError, ValueError):
            return "", {}
        tip, _, target = head.partition(" ")
        if target != self.target or digest != _digest([head, *lines]):
            return "", {}
        pairs = (line.partition(" ") for line in lines)
        return tip, {task_id: commit for commit, _, task_id in pairs}

    def _save(self) -> None:
        """Lost in a crash without harm, so it is not synced."""
        lines = [f"{self._tip} {self.target}"]
        lines += [f"{commit} {task_id}" for task_id, commit in self._commits.items()]
        temporary = self.path.with_suffix(".tmp")
        with files.disk_errors(str(self.path)):
            temporary.write_text("\n".join([_digest(lines), *lines]))
        files.rename(temporary, self.path)
        self._saved = len(self._commits)


def _digest(lines: list[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
