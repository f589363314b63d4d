"""Tests that fail now and then, set aside by name until a day: `refs/aifactory/flakes`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from aifactory.git import Entry, Repository, format_tree
from aifactory.layout import FLAKES_REF
from aifactory.ledger import WRITER
from aifactory.model import Value
from aifactory.narration import one_line

FILE = "flakes.json"


class Flake(Value):
    """One test that failed and passed on the same tree. `until` is when it counts again, UTC."""

    test: str
    command: str
    found_by: str  # the task whose change it was found on; "": it is flaky without that, too
    found_at: str
    until: str
    times: int = 1

    def __str__(self) -> str:
        what = f"{one_line(self.test)} of `{one_line(self.command)}`"
        return f"{what}, does not count until {self.until} ({self.times} times)"

    @property
    def active(self) -> bool:
        return datetime.fromisoformat(self.until) > datetime.now(UTC)


class Flakes:
    """Reads and writes the list. One daemon writes; anybody reads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._lock = threading.Lock()

    def active(self) -> list[Flake]:
        """What is set aside now, by name."""
        return [flake for flake in self._all() if flake.active]

    def add(
        self,
        tests: Iterable[str],
        command: str,
        task_id: str,
        days: float,
        inherited: Collection[str] = (),
    ) -> list[Flake]:
        """Set tests aside for so many days from now; one that is, for so many more.

        `inherited` are those of them that no change is to blame for.
        """
        with self._lock:
            known = {flake.test: flake for flake in self.active()}
            until = _utc(datetime.now(UTC) + timedelta(days=days))
            added = []
            for test in sorted(tests):
                new = Flake(test=test, command=command, found_by=task_id, found_at=_utc(),
                            until=until)  # fmt: skip
                if old := known.get(test):
                    new = old.model_copy(update={"until": until, "times": old.times + 1})
                if test in inherited:
                    new = new.model_copy(update={"found_by": ""})
                known[test] = new
                added.append(new)
            self._save(known.values(), f"set aside {len(added)} tests")
            return added

    def _all(self) -> list[Flake]:
        data = self._repository.blob(f"{FLAKES_REF}:{FILE}")
        return [Flake.model_validate(one) for one in json.loads(data)] if data else []

    def _save(self, flakes: Iterable[Flake], message: str) -> None:
        repository, old = self._repository, self._repository.resolve(FLAKES_REF)
        rows = [flake.model_dump() for flake in sorted(flakes, key=lambda flake: flake.test)]
        blob = repository.write("blob", json.dumps(rows, indent=1).encode() + b"\n")
        tree = repository.write("tree", format_tree({FILE: Entry("100644", blob)}))
        parents, at = [old] if old else [], int(time.time())
        commit = repository.write_commit(tree, parents, message, WRITER, WRITER, at)
        repository.update_refs({FLAKES_REF: (old or repository.null, commit)})


def _utc(at: datetime | None = None) -> str:
    return (at or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
