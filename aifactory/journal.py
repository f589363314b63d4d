"""The write-ahead record of landings: one append-only file of chained, checksummed JSON lines.

A line is 16 hex digits, a space, JSON. The digits are blake2b-64 of the digits before and the JSON,
so a torn tail, a lost line and a stale block are all seen (study: durability, section 4.1). A torn
tail is normal and cut off; damage with records after it stops the daemon. One writer, under the
daemon's lock. The format is described in docs/journal.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from aifactory import __version__, failpoints, files
from aifactory.errors import JournalCorrupt

FORMAT = 1
SEED = b"aifactory journal 1"
ROTATE_BYTES = 1 << 20
KEPT_SEGMENTS = 4
RESERVE_BYTES = 4 << 20
KNOWN = ("head", "begin", "end", "note")
_LINE = re.compile(rb"[0-9a-f]{16} \{.*\}")

Record = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """What a journal file holds: records, good bytes, the digits that the next one chains to."""

    records: tuple[Record, ...]
    good: int
    size: int
    digits: bytes

    @property
    def torn(self) -> bool:
        return self.good < self.size

    @property
    def pending(self) -> Record | None:
        """The operation that was begun and has no end."""
        ended = {record["op"] for record in self.records if record["t"] == "end"}
        begun = [record for record in self.records if record["t"] == "begin"]
        return next((record for record in reversed(begun) if record["op"] not in ended), None)

    @property
    def epoch(self) -> int:
        heads = [record["epoch"] for record in self.records if record["t"] == "head"]
        return max(heads, default=0)

    @property
    def started_at(self) -> float:
        """When the last writer began, in seconds since the epoch."""
        heads = [record["at"] for record in self.records if record["t"] == "head"]
        return max(heads, default=0.0)


def digest(previous: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(previous + body, digest_size=8).hexdigest().encode()


def read(path: Path) -> Reading:
    """Read without changing anything. JournalCorrupt when damage lies before good records."""
    raw = path.read_bytes() if path.exists() else b""
    records: list[Record] = []
    good, digits = 0, SEED
    while (end := raw.find(b"\n", good)) >= 0:
        line = raw[good:end]
        if line[:16] != digest(digits, line[17:]) or not _LINE.fullmatch(line):
            break
        records.append(json.loads(line[17:]))
        good, digits = end + 1, line[:16]
    _refuse_damage(path, raw, good)
    _refuse_unknown(path, records)
    return Reading(tuple(records), good, len(raw), digits)


def salvaged(path: Path) -> Reading:
    """What can still be read of a damaged journal, whatever it chains to; nothing to go on from."""
    raw = path.read_bytes()
    records = []
    for line in filter(_LINE.fullmatch, raw.split(b"\n")):
        with suppress(ValueError):
            records.append(json.loads(line[17:]))
    return Reading(tuple(records), 0, len(raw), SEED)


def _refuse_damage(path: Path, raw: bytes, good: int) -> None:
    """A torn write leaves one bad line at the end; a whole line behind it was synced once."""
    following = raw[good:].split(b"\n")[1:]
    if any(_LINE.fullmatch(line) for line in following):
        raise JournalCorrupt(f"{path} is damaged at byte {good}, with records behind the damage")


def _refuse_unknown(path: Path, records: Iterable[Record]) -> None:
    for record in records:
        newer = record["t"] == "head" and record["format"] > FORMAT
        if newer or (record["t"] not in KNOWN and record.get("crit")):
            raise JournalCorrupt(
                f"{path} was written by a newer version", next_step="install that version again"
            )


class Journal:
    """An open journal. `pending` is the begin record of the operation under way, or None."""

    def __init__(self, path: Path) -> None:
        files.make_dir(path.parent)
        self.path = path
        reading = read(path)
        self.torn = reading.torn
        if reading.torn:
            files.truncate(path, reading.good)
        self.pending = reading.pending
        self.epoch = reading.epoch + 1
        self.before_at = reading.started_at
        self.opened_at = time.time()
        self._digits = reading.digits
        self._size = reading.good
        self._unsynced = False
        self._fd = files.open_append(path)
        self._append(self._head(), sync=True)
        files.sync_dir(path.parent)

    def _head(self) -> Record:
        boot = Path("/proc/sys/kernel/random/boot_id")
        return {
            "t": "head",
            "format": FORMAT,
            "epoch": self.epoch,
            "at": self.opened_at,
            "boot": boot.read_text().strip() if boot.exists() else "",
            "host": socket.gethostname(),
            "writer": __version__,
        }

    def begin(self, op: str, intent: Record) -> None:
        """Record what is about to change; when this returns the record lasts."""
        record = {"t": "begin", "op": op, **intent}
        self._append(record, sync=True)
        self.pending = record

    def end(self, op: str, **outcome: Any) -> None:
        """Record that the operation is over; when this returns the record lasts."""
        self._append({"t": "end", "op": op, **outcome}, sync=True)
        self.pending = None

    def note(self, **what: Any) -> None:
        """Record something that recovery does not need; not synced."""
        self._append({"t": "note", **what}, sync=False)

    def _append(self, record: Record, *, sync: bool) -> None:
        if sync and self._unsynced:
            # Or a power loss could take the note and leave this record behind it: "damage".
            files.sync(self._fd, str(self.path))
        body = json.dumps(record, separators=(",", ":")).encode()
        digits = digest(self._digits, body)
        line = digits + b" " + body + b"\n"
        files.append(self._fd, line, self._size, str(self.path))
        failpoints.hit("journal.written")
        if sync:
            files.sync(self._fd, str(self.path))
            failpoints.hit("journal.synced")
        self._unsynced = not sync
        self._digits, self._size = digits, self._size + len(line)

    def rotate(self) -> None:
        """Begin a new file when this one is long and nothing is under way; keep the last four."""
        if self.pending or self._size < ROTATE_BYTES:
            return
        fresh = self.path.with_name("journal.new")
        body = json.dumps({**self._head(), "follows": self._digits.decode()}).encode()
        digits = digest(SEED, body)
        fresh.unlink(missing_ok=True)
        files.write_new(fresh, digits + b" " + body + b"\n", 0o600)
        failpoints.hit("rotation.written")
        kept = self.path.with_name(f"journal.{self.epoch:08d}.{self._digits.decode()}")
        files.link(self.path, kept)
        failpoints.hit("rotation.kept")
        files.rename(fresh, self.path)
        files.sync_dir(self.path.parent)
        failpoints.hit("rotation.done")
        os.close(self._fd)
        self._fd = files.open_append(self.path)
        self._digits, self._size = digits, self.path.stat().st_size
        for old in segments(self.path)[:-KEPT_SEGMENTS]:
            files.remove(old)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def segments(path: Path) -> list[Path]:
    """The rotated files, oldest first; nothing in them is needed."""
    return sorted(path.parent.glob("journal.[0-9]*"), key=lambda found: found.stat().st_mtime_ns)


def reserve(path: Path) -> Path:
    """The file whose space is given back when recovery meets a full disk."""
    return path.with_name("reserve")


def fill_reserve(path: Path) -> None:
    """Take the space, with bytes that no file system can leave out."""
    held = reserve(path)
    if not held.exists():
        files.atomic_write(held, os.urandom(RESERVE_BYTES), 0o600)


def free_reserve(path: Path) -> None:
    files.remove(reserve(path))
