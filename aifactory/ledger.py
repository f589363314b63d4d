"""The history of every task, kept in Git.

An open task is a ref, `refs/aifactory/tasks/<id>`: a chain of commits, one for each time its record
was saved, subject = state, tree = its artifacts. A closed task is a folder of the one sharded tree
under `refs/aifactory/ledger`, moved there in batches: first the ledger, then the ref goes, so a
crash between the two leaves both, which the next batch mends (study: durability, section 2.1).
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from aifactory import failpoints
from aifactory.errors import GitFailed
from aifactory.git import Entry, Identity, Repository, format_tree
from aifactory.layout import LEDGER_REF, TASK_REFS
from aifactory.model import Event, Record, Task
from aifactory.redaction import masked_bytes

WRITER = Identity("aifactory", "aifactory@localhost")


@dataclass(frozen=True)
class History:
    """One task in the ledger: its record, the commit it stands in, its artifacts by name."""

    record: Record
    tip: str
    artifacts: Mapping[str, Entry]


def ref_of(task_id: str) -> str:
    """The ref of an open task; what a ref's name may not hold is written as %XX."""
    name = task_id.replace("..", ".%2E")
    name = re.sub(r"\.(lock)?$", lambda found: "%2E" + (found[1] or ""), name)
    return TASK_REFS + name


def id_of(ref: str) -> str:
    return ref.removeprefix(TASK_REFS).replace("%2E", ".")


def shard_of(task_id: str) -> tuple[str, str]:
    digest = hashlib.sha256(task_id.encode()).hexdigest()
    return digest[:2], digest[2:4]


class Ledger:
    """Reads and writes the history. One daemon writes; anybody reads."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._open: dict[str, History] = {}
        self._unsaved: dict[str, list[Event]] = {}
        self._lock = threading.RLock()

    # reading

    def load(self) -> dict[str, Record]:
        """Read every open task from its ref, and give their records."""
        with self._lock:
            refs = self.repository.refs(TASK_REFS)
            names = [
                f"{tip}{part}" for tip in refs.values() for part in ("^{tree}", ":report.json")
            ]
            data = (data for _, data in self.repository.objects(names))
            self._open = {
                id_of(ref): History(
                    Record.model_validate_json(report), tip, self.repository.parsed(tree)
                )
                for (ref, tip), tree, report in zip(refs.items(), data, data, strict=True)
            }
            return {task_id: history.record for task_id, history in self._open.items()}

    def _read(self, tree: str, tip: str) -> History:
        artifacts = self.repository.entries(tree)
        data = self.repository.blob(artifacts["report.json"].oid)
        if data is None:
            raise GitFailed(f"{tree} has no report.json", next_step="run `aifactory recover`")
        return History(Record.model_validate_json(data), tip, artifacts)

    def find(self, task_id: str) -> History | None:
        """An open task, else a closed one, else None."""
        with self._lock:
            if known := self._open.get(task_id):
                return known
        if found := self.repository.object(ref_of(task_id)):
            tip = self.repository.id_of(*found)
            return self._read(tip, tip)
        folder = "/".join((*shard_of(task_id), task_id))
        if found := self.repository.object(f"{LEDGER_REF}:{folder}"):
            return self._read(f"{LEDGER_REF}:{folder}", "") if found[0] == "tree" else None
        return None

    def tip(self) -> str:
        """The commit that holds the closed tasks, `""` where there is none."""
        return self.repository.tip(LEDGER_REF) or ""

    def goes_on_from(self, tip: str) -> bool:
        """Whether the ledger holds all that it held at this tip."""
        now = self.tip()
        if tip in ("", now):
            return True
        known = bool(now) and self.repository.object(tip) is not None
        return known and self.repository.is_ancestor(tip, now)

    def closed(self) -> Iterator[History]:
        """Every task in the ledger ref, one by one."""
        for data in self.reports():
            yield History(Record.model_validate_json(data), "", {})

    def reports(self) -> Iterator[bytes]:
        """The `report.json` of every task in the ledger ref, for who needs little of each."""
        if not self.tip():
            return
        reports = self.repository.tree(LEDGER_REF, "/report.json").values()
        yield from self.repository.blobs([entry.oid for entry in reports])

    def records(self) -> list[Record]:
        """Every task that is known, open or closed, by the time it was taken in.

        Open ones are read first: a task that is moved meanwhile stands in the ledger already.
        """
        opened = self.load()
        found = {history.record.task_id: history.record for history in self.closed()} | opened
        return sorted(found.values(), key=lambda record: (record.created_at, record.task_id))

    def artifact(self, task_id: str, name: str) -> bytes | None:
        history = self.find(task_id)
        entry = history.artifacts.get(name) if history else None
        return self.repository.blob(entry.oid) if entry else None

    def task(self, task_id: str) -> Task | None:
        data = self.artifact(task_id, "task.json")
        return Task.model_validate_json(data) if data else None

    def events(self, task_id: str) -> list[Event]:
        """Everything that happened to a task, oldest first."""
        with self._lock:
            saved = self.artifact(task_id, "events.jsonl") or b""
            unsaved = self._unsaved.get(task_id, [])
            return [*map(Event.model_validate_json, saved.splitlines()), *unsaved]

    # writing

    def note(self, event: Event) -> None:
        """Keep an event until its task is saved next. A reader of the stream."""
        if event.task is not None:
            with self._lock:
                self._unsaved.setdefault(event.task, []).append(event)

    def forget(self, event: Event) -> None:
        """Drop an event that came to nothing: its task could not be saved."""
        if event.task is not None:
            with self._lock:
                unsaved = self._unsaved.get(event.task, [])
                self._unsaved[event.task] = [one for one in unsaved if one.id != event.id]

    def save(
        self,
        record: Record,
        artifacts: Mapping[str, bytes] | None = None,
        keep: Iterable[str] = (),
    ) -> None:
        """Make a record last, with the events since the last time and new artifacts.

        What is secret in our environment is masked in all of it.

        `keep` names commits that become parents, so that Git's clean-up leaves them alone.
        """
        task_id = record.task_id
        with self._lock:
            history = self._open.get(task_id) or self.find(task_id)
            entries = dict(history.artifacts) if history else {}
            events = self._unsaved.get(task_id, [])
            news = {"report.json": record.to_json(), **(artifacts or {})}
            news = {name: masked_bytes(data) for name, data in news.items()}
            news["events.jsonl"] = self._blob(entries, "events.jsonl") + lines(events)
            oids = self.repository.write_many(("blob", data) for data in news.values())
            entries |= {n: Entry("100644", oid) for n, oid in zip(news, oids, strict=True)}
            tree = self.repository.write("tree", format_tree(entries))
            old = history.tip if history and history.tip else self.repository.null
            parents = [*([history.tip] if history and history.tip else []), *keep]
            message = "\n".join([record.state, "", *(event.name for event in events)])
            at = int(time.time())
            tip = self.repository.write_commit(tree, parents, message, WRITER, WRITER, at)
            self.repository.update_refs({ref_of(task_id): (old, tip)})
            self._open[task_id] = History(record, tip, entries)
            self._unsaved.pop(task_id, None)

    def _blob(self, entries: Mapping[str, Entry], name: str) -> bytes:
        return (self.repository.blob(entries[name].oid) or b"") if name in entries else b""

    def append(self, task_id: str, name: str, data: bytes) -> bytes:
        """What an artifact would hold with `data` behind it; for `save`."""
        with self._lock:
            history = self._open.get(task_id)
            return self._blob(history.artifacts if history else {}, name) + data

    def archive(self) -> int:
        """Move the closed ones of the open tasks into the ledger ref; gives how many."""
        with self._lock:
            closed = {i: h for i, h in self._open.items() if h.record.is_over}
            if not closed:
                return 0
            self._write_ledger(closed)
            failpoints.hit("ledger.written")
            for task_id, history in closed.items():
                ref = ref_of(task_id)
                self.repository.update_refs({ref: (history.tip, self.repository.null)})
                del self._open[task_id]
            return len(closed)

    def _write_ledger(self, closed: Mapping[str, History]) -> None:
        old = self.tip()
        root = self.repository.entries(old)
        shards: dict[str, dict[str, dict[str, Entry]]] = {}
        for task_id, history in closed.items():
            first, second = shard_of(task_id)
            folder = self._write_folder(dict(history.artifacts))
            shards.setdefault(first, {}).setdefault(second, {})[task_id] = folder
        for first, seconds in shards.items():
            middle = self.repository.entries(root[first].oid) if first in root else {}
            for second, folders in seconds.items():
                inner = self.repository.entries(middle[second].oid) if second in middle else {}
                middle[second] = self._write_folder(inner | folders)
            root[first] = self._write_folder(middle)
        tree = self._write_folder(root).oid
        message = f"close {len(closed)} tasks\n\n" + "\n".join(sorted(closed))
        at = int(time.time())
        parents = [old] if old else []
        commit = self.repository.write_commit(tree, parents, message, WRITER, WRITER, at)
        self.repository.update_refs({LEDGER_REF: (old or self.repository.null, commit)})

    def _write_folder(self, entries: Mapping[str, Entry]) -> Entry:
        return Entry("040000", self.repository.write("tree", format_tree(entries)))


def lines(values: Iterable[Event]) -> bytes:
    return b"".join(value.model_dump_json().encode() + b"\n" for value in values)
