"""One small crime for each rule of the landing protocol. A test that finds none is no test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import layer

from aifactory import (
    failpoints,
    fence,
    files,
    git,
    index,
    landing,
    ledger,
    lifecycle,
    operation,
    recovery,
    swap,
)
from aifactory.journal import Journal
from aifactory.landing import Lander
from aifactory.ledger import Ledger
from aifactory.queue import Queue


@dataclass(frozen=True)
class Mutant:
    """A rule that is broken by `apply`, and what finds it: a kill, the syncs, or one test.

    `at` is where the daemon is killed to find it there, too; `daemon`: only there it can be.
    """

    rule: str
    found_by: str
    apply: Callable[[], None]
    at: str = ""


def nothing(*_: Any, **__: Any) -> None:
    return None


def replace(owner: Any, name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(owner, name, value)


def _no_begin() -> None:
    def begin(self: Journal, op: str, intent: dict[str, Any]) -> None:
        self.pending = {"t": "begin", "op": op, **intent}

    Journal.begin = begin


def _undo_always() -> None:
    operation.contains = lambda *_: False


def _redo_always() -> None:
    operation.contains = lambda *_: True


def _careless_swap() -> None:
    """Whatever came out of an exchange is thrown away."""

    def _exchange(self: swap._Swap, fresh: Path, path: Path) -> bool:
        files.exchange(fresh, path)
        fresh.unlink()
        return True

    swap._Swap._exchange = _exchange


def _no_git_sync() -> None:
    git.HARDENED["core.fsync"] = "none"


def _late_begin() -> None:
    """The intent is recorded after the files."""
    bring, begin = landing.bring, Journal.begin
    waiting: list[tuple[Any, ...]] = []

    def hold(self: Journal, op: str, intent: dict[str, Any]) -> None:
        waiting.append((self, op, intent))

    def then(*arguments: Any) -> list[str]:
        kept = bring(*arguments)
        begin(*waiting.pop())
        return kept

    Journal.begin = hold
    landing.bring = then


def _early_index() -> None:
    """The user's index is freed before the target has moved."""
    build = index.build

    def early(repository: Any, place: Any, fresh: Path, *more: Any) -> None:
        build(repository, place, fresh, *more)
        index.unlock(place, fresh.with_name("lock"))

    index.build = early


def _early_ref_delete() -> None:
    def archive(self: Ledger) -> int:
        closed = {i: h for i, h in self._open.items() if h.record.is_over}
        for task_id, history in closed.items():
            ref = ledger.ref_of(task_id)
            self.repository.update_refs({ref: (history.tip, self.repository.null)})
            del self._open[task_id]
        failpoints.hit("ledger.written")
        if closed:
            self._write_ledger(closed)
        return len(closed)

    Ledger.archive = archive


def _answer_forgotten() -> None:
    artifact = Ledger.artifact

    def forgetful(self: Ledger, task_id: str, name: str) -> bytes | None:
        return None if name.startswith("response-") else artifact(self, task_id, name)

    Ledger.artifact = forgetful


def _told_too_early() -> None:
    land_many = Lander.land_many

    def early(self: Lander, candidates: Any) -> Any:
        for candidate in candidates:
            layer.say(f"ACK {candidate.task_id}")
        return land_many(self, candidates)

    Lander.land_many = early


def _number_again() -> None:
    change = Queue.change

    def again(self: Queue, task_id: str, event: str, **fields: Any) -> Any:
        if event == "attempt.started":
            fields |= {"attempt": 1, "attempts": 1}
        return change(self, task_id, event, **fields)

    Queue.change = again
    begin = lifecycle.begin
    lifecycle.begin = lambda *given: (1, begin(*given)[1])


MUTANTS = {
    "no-begin": Mutant(
        "the intent is recorded before anything changes", "kill", _no_begin, "landing.file@2"
    ),
    "late-begin": Mutant(
        "the intent is recorded before the files change", "kill", _late_begin, "landing.file@2"
    ),
    "undo-always": Mutant(
        "after the commit point everything is redone", "kill", _undo_always, "landing.moved"
    ),
    "redo-always": Mutant(
        "before the commit point everything is undone", "kill", _redo_always, "landing.file@2"
    ),
    "no-undo": Mutant(
        "files go back", "kill", replace(operation, "_undo", lambda *_: []), "landing.file@2"
    ),
    "no-settle": Mutant(
        "an operation without an end is settled at the start",
        "kill",
        replace(recovery, "settle", lambda site: []),
        "landing.file@2",
    ),
    "no-sweep": Mutant(
        "a lock that a crash left is known by its stage",
        "kill",
        replace(recovery, "_sweep_stages", lambda site: []),
        "landing.locked",
    ),
    "no-index": Mutant(
        "the index follows the target", "kill", replace(index, "install", nothing), "landing.synced"
    ),
    "no-git-sync": Mutant("Git is told to sync what it writes", "sync", _no_git_sync),
    "no-file-sync": Mutant(
        "data lasts before it is named", "sync", replace(files, "sync", nothing)
    ),
    "no-folder-sync": Mutant("names last", "sync", replace(files, "sync_dir", nothing)),
    "no-ref-sync": Mutant(
        "the moved ref lasts before anybody is told",
        "sync",
        replace(git.Repository, "sync_ref", nothing),
    ),
    "careless-swap": Mutant("what came out of an exchange is looked at", "test", _careless_swap),
    "early-index": Mutant("the index is locked up to the end", "test", _early_index),
    "early-ref-delete": Mutant(
        "a task stands in the ledger before its own ref goes",
        "daemon",
        _early_ref_delete,
        "ledger.written",
    ),
    "answer-forgotten": Mutant(
        "an answer that is recorded is not asked for again",
        "daemon",
        _answer_forgotten,
        "answer.recorded",
    ),
    "told-too-early": Mutant(
        "a task is told to have landed when that lasts", "daemon", _told_too_early, "landing.begun"
    ),
    "left-running": Mutant(
        "what ran when the daemon died is taken up again",
        "daemon",
        replace(lifecycle, "resume", nothing),
        "answer.recorded",
    ),
    "number-again": Mutant(
        "an attempt that asked has a number of its own", "daemon", _number_again, "answer.given"
    ),
    "no-fence": Mutant(
        "locks and children of the dead are ended", "test", replace(fence, "clear", nothing)
    ),
}
