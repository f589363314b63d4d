"""One car of the train: a verified proposal on top of the one ahead, with what its gate says."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from aifactory import landing, proposals, verification
from aifactory.enduring import of_machine
from aifactory.errors import Cancelled, Interrupted, StaleBase
from aifactory.factory import Factory
from aifactory.files import SyncFailed
from aifactory.gate import GateResult
from aifactory.git import Repository
from aifactory.landing import Candidate
from aifactory.model import Proposal, Record, Task
from aifactory.tree import GitTree


@dataclass(eq=False)
class Car:
    """`ok` is None until its gate is through; `pending`: the ledger names its very commit."""

    task: Task
    attempt: int
    candidate: Candidate
    pending: bool = False
    ok: bool | None = None
    begun: bool = False
    result: GateResult | None = None
    error: Exception | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _users: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def task_id(self) -> str:
        return self.task.task_id

    def begin(self) -> None:
        """Before a thread judges it."""
        self.begun, self.stop = True, threading.Event()
        with self._lock:
            self._users += 1

    def judge(self, factory: Factory) -> None:
        """Run the gate on exactly the tree that would land."""
        try:
            self.result = verification.judge(factory, self.task, self.candidate, self.stop)
            self.ok = True
        except SyncFailed:
            raise
        except Exception as error:
            self._note(error)
        finally:
            self.release()

    def _note(self, error: Exception) -> None:
        if self.stop.is_set() or isinstance(error, Cancelled | Interrupted):
            self.begun = False
        elif trouble := of_machine(error):
            self.begun = False
            raise trouble from error
        else:
            self.error, self.ok = error, False

    def leave(self) -> None:
        """It is not in the train any more."""
        self.stop.set()
        self.release()

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                landing.discard(self.candidate)


def green(verdicts: Sequence[bool | None]) -> int:
    """How many from the front may land: those that are green up to the first that is not."""
    return next((at for at, ok in enumerate(verdicts) if not ok), len(verdicts))


def to_gate(verdicts: Sequence[bool | None], begun: Sequence[bool]) -> Iterator[int]:
    """Which cars to gate next, the most telling first.

    From the front. Behind a red one nothing is worth a gate; ahead of it the middle is, so that the
    first red one is known after few gates.
    """
    red = verdicts.index(False) if False in verdicts else None
    last = len(verdicts) if red is None else red
    waiting = [at for at in range(last) if verdicts[at] is None and not begun[at]]
    while waiting:
        yield waiting.pop(0 if red is None else len(waiting) // 2)


def made(factory: Factory, record: Record, ahead: Car | None, base: str) -> Car:
    """The proposal of a ready task on `base`, the commit of the car ahead or the target's tip.

    StaleBase where both changed the same place. What is pending on just this base was judged.
    """
    task = factory.queue.task(record.task_id)
    pending = _pending(factory, record)
    if pending and pending.base == base:
        return Car(task, record.attempts, pending, pending=True, ok=True, begun=True)
    repository = ahead.candidate.repository if ahead else factory.repository
    moved = rebased(factory, record, repository, base)
    candidate = verification.candidate_of(factory, task, moved, repository)
    return Car(task, record.attempts, candidate)


def _pending(factory: Factory, record: Record) -> Candidate | None:
    """The candidate that was verified; None where its commit is gone from the repository."""
    if not record.pending or factory.repository.object(record.pending) is None:
        return None
    return landing.reopened(
        factory.repository,
        factory.layout,
        record.pending,
        target=factory.target,
        task_id=record.task_id,
        attempt=record.attempts,
    )


def rebased(factory: Factory, record: Record, repository: Repository, base: str) -> Proposal:
    """The proposal of a ready task as it would be on `base`, or StaleBase."""
    data = factory.ledger.artifact(record.task_id, f"proposal-{record.attempts}.json")
    proposal = proposals.from_json(data or b"")
    old, new = GitTree(factory.repository, proposal.base), GitTree(repository, base)
    return proposals.rebase(proposal, old, new, base)


def is_stale(factory: Factory, record: Record) -> StaleBase | None:
    """Why a proposal cannot follow the target where it is now, or None if it can."""
    try:
        rebased(factory, record, factory.repository, factory.tip())
    except StaleBase as error:
        return error
    return None
