"""Tasks that wait because the gate is broken or a test flaky, and go on by themselves.

Their answers are recorded: what goes on is the judging, and no model is asked again.
"""

from __future__ import annotations

from aifactory.errors import FailureClass
from aifactory.factory import Factory, Hold
from aifactory.model import Record, State

NOBODYS = (FailureClass.GATE_BROKEN, FailureClass.GATE_FLAKY)
FIRST_SECONDS, MOST_SECONDS = 300.0, 3600.0  # between two looks while the target stays


def hold(factory: Factory, task_id: str) -> None:
    """Judge a task again when the target moves, else after a while, each time a longer one."""
    before, tip = factory.held.get(task_id), factory.tip()
    again = before is not None and before.tip == tip
    seconds = min(before.seconds * 2, MOST_SECONDS) if before and again else FIRST_SECONDS
    factory.held[task_id] = Hold(tip, seconds)


def pass_on(factory: Factory, task_id: str) -> None:
    """Judge a task again at once: what was in its way does not count any more."""
    factory.held[task_id] = Hold("", 0)


def held(record: Record) -> bool:
    """Whether nothing was said yet of a task's last answer."""
    return record.failure is not None and record.failure.failure_class in NOBODYS


def release(factory: Factory) -> None:
    """Queue the tasks whose gate is worth another look. Of earlier runs nothing is known: all."""
    for record in due(factory):
        factory.queue.change(record.task_id, "gate.retried", reason="")


def due(factory: Factory) -> list[Record]:
    """The tasks that `release` would queue now."""
    tip = factory.tip()
    waiting = filter(held, factory.queue.in_state(State.AWAITING_INPUT))
    known = ((record, factory.held.get(record.task_id)) for record in waiting)
    return [record for record, kept in known if kept is None or kept.over(tip)]
