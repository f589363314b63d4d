"""One small crime for each rule of the landing protocol. A test that finds none is no test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aifactory import (
    fence,
    files,
    git,
    index,
    landing,
    operation,
    recovery,
    swap,
)
from aifactory.journal import Journal


@dataclass(frozen=True)
class Mutant:
    """A rule that is broken by `apply`, and what finds it: a kill, the syncs, or one test."""

    rule: str
    found_by: str
    apply: Callable[[], None]


def nothing(*_: Any, **__: Any) -> None:
    return None


def replace(owner: Any, name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(owner, name, value)


def _no_begin() -> None:
    def begin(self: Journal, op: str, intent: dict[str, Any]) -> None:
        self.pending = {"t": "begin", "op": op, **intent}

    Journal.begin = begin  # type: ignore[method-assign]


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

    swap._Swap._exchange = _exchange  # type: ignore[method-assign]


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

    Journal.begin = hold  # type: ignore[method-assign]
    landing.bring = then  # type: ignore[attr-defined]


def _early_index() -> None:
    """The user's index is freed before the target has moved."""
    build = index.build

    def early(repository: Any, place: Any, fresh: Path, *more: Any) -> None:
        build(repository, place, fresh, *more)
        index.unlock(place, fresh.with_name("lock"))

    index.build = early


MUTANTS = {
    "no-begin": Mutant("the intent is recorded before anything changes", "kill", _no_begin),
    "late-begin": Mutant("the intent is recorded before the files change", "kill", _late_begin),
    "undo-always": Mutant("after the commit point everything is redone", "kill", _undo_always),
    "redo-always": Mutant("before the commit point everything is undone", "kill", _redo_always),
    "no-undo": Mutant("files go back", "kill", replace(operation, "_undo", lambda *_: [])),
    "no-settle": Mutant(
        "an operation without an end is settled at the start",
        "kill",
        replace(recovery, "settle", lambda site: []),
    ),
    "no-sweep": Mutant(
        "a lock that a crash left is known by its stage",
        "kill",
        replace(recovery, "_sweep_stages", lambda site: []),
    ),
    "no-index": Mutant("the index follows the target", "kill", replace(index, "install", nothing)),
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
    "no-fence": Mutant(
        "locks and children of the dead are ended", "test", replace(fence, "clear", nothing)
    ),
}
