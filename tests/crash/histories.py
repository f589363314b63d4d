"""What the ledger says that happened to each task, held against the table of states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from aifactory.ledger import Ledger
from aifactory.model import Record, State
from aifactory.states import TABLE

GRANTED = {
    "cancel": "task.cancelled",
    "approve": "proposal.approved",
    "reject": "proposal.rejected",
    "retry": "task.retried",
}


@dataclass(frozen=True)
class Told:
    """The records by id; how often each wish was granted; how often each task landed."""

    records: Mapping[str, Record]
    granted: Counter[str] = field(default_factory=Counter)
    landed: Counter[str] = field(default_factory=Counter)


def told(ledger: Ledger) -> Told:
    """Every history, each step of which must be one that the table allows."""
    found = Told({record.task_id: record for record in ledger.records()})
    for name, record in found.records.items():
        state: State | None = None
        for event in ledger.events(name):
            then = event.data.get("state")
            changed = (state, event.name) in TABLE
            assert not changed or TABLE[state, event.name] == then, (name, state, event)
            assert changed or then in (None, state), (name, state, event)
            state = TABLE[state, event.name] if changed else state
            found.granted.update(verb for verb, what in GRANTED.items() if what == event.name)
            found.landed.update([name] * (event.name == "task.landed"))
        assert state == record.state, (name, state)
    return found
