"""A sandbox for the tests of others: nothing runs, the results are scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aifactory.errors import Interrupted
from aifactory.model import CommandRecord, now
from aifactory.sandbox.spec import Spec

Scripted = int | CommandRecord | Exception | Callable[[Spec], CommandRecord]


@dataclass
class FakeSandbox:
    """Answers each command by its joined words: an exit status, a record, an error or a call.

    What is not scripted gets `default`. `ran` holds every spec in order.
    """

    results: Mapping[str, Scripted] = field(default_factory=dict)
    default: Scripted = 0
    name: str = "fake"
    ran: list[Spec] = field(default_factory=list)

    def run(self, spec: Spec, stop: threading.Event | None = None) -> CommandRecord:
        if stop is not None and stop.is_set():
            raise Interrupted("the daemon stops")
        self.ran.append(spec)
        result = self.results.get(" ".join(spec.argv), self.default)
        if isinstance(result, Exception):
            raise result
        if isinstance(result, CommandRecord):
            return result
        return self._record(spec, result) if isinstance(result, int) else result(spec)

    def _record(self, spec: Spec, exit_code: int) -> CommandRecord:
        return CommandRecord(
            argv=spec.argv, backend=self.name, started_at=now(), exit_code=exit_code
        )
