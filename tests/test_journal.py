from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aifactory import files, journal
from aifactory.errors import DiskFull, JournalCorrupt
from aifactory.files import SyncFailed
from aifactory.journal import Journal

INTENT = {"target": "refs/heads/main", "moves": [["a.txt", None, ["100644", "0" * 40]]]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aifactory" / "journal"


def test_what_was_begun_is_pending_until_its_end(path: Path) -> None:
    with Journal(path) as first:
        first.begin("op1", INTENT)
    with Journal(path) as second:
        assert second.pending == {"t": "begin", "op": "op1", **INTENT}
        second.end("op1", landed=True)
        assert second.pending is None
    with Journal(path) as third:
        assert third.pending is None
        assert third.epoch == 3


def test_lines_are_json_that_a_person_can_read(path: Path) -> None:
    with Journal(path) as opened:
        opened.note(reason="a.txt has uncommitted changes")
    head, note = (json.loads(line[17:]) for line in path.read_text().splitlines())
    assert (head["t"], head["format"], head["epoch"]) == ("head", 1, 1)
    assert note == {"t": "note", "reason": "a.txt has uncommitted changes"}


@settings(max_examples=25, deadline=None)
@given(
    cut=st.integers(1, 10_000), junk=st.binary(max_size=40).filter(lambda data: b"\n" not in data)
)
def test_a_torn_tail_is_cut_off(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("torn") / "journal"
    with Journal(path) as opened:
        opened.begin("op1", INTENT)
        opened.end("op1", landed=False)
        whole = path.read_bytes()
        opened.begin("op2", INTENT)
    last = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + last[: cut % len(last)] + junk)
    with Journal(path) as again:
        assert again.pending is None
        assert again.torn == (
            path.read_bytes()[: len(whole)] == whole and bool(cut % len(last) or junk)
        )
    assert path.read_bytes().startswith(whole)


@settings(max_examples=25, deadline=None)
@given(where=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_damage_before_good_records_stops_the_daemon(
    tmp_path_factory: pytest.TempPathFactory, where: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("damage") / "journal"
    with Journal(path) as opened:
        opened.begin("op1", INTENT)
        middle = path.stat().st_size
        opened.end("op1", landed=True)
    raw = bytearray(path.read_bytes())
    raw[where % (middle - 1)] ^= 1 << bit
    path.write_bytes(raw)
    with pytest.raises(JournalCorrupt) as caught:
        Journal(path)
    assert "recover" in caught.value.next_step


def test_a_line_that_was_taken_out_is_noticed(path: Path) -> None:
    with Journal(path) as opened:
        opened.begin("op1", INTENT)
        opened.end("op1", landed=True)
    head, _, end = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(head + end + end)
    with pytest.raises(JournalCorrupt):
        Journal(path)


def test_a_newer_format_is_refused(path: Path) -> None:
    path.parent.mkdir()
    body = json.dumps({"t": "head", "format": 2, "epoch": 1, "at": 0.0}).encode()
    path.write_bytes(journal.digest(journal.SEED, body) + b" " + body + b"\n")
    with pytest.raises(JournalCorrupt, match="newer version"):
        Journal(path)


def test_an_unknown_record_is_skipped_unless_it_is_critical(path: Path) -> None:
    with Journal(path) as opened:
        opened._append({"t": "weather"}, sync=True)
    with Journal(path) as opened:
        opened._append({"t": "weather", "crit": True}, sync=True)
    with pytest.raises(JournalCorrupt, match="newer version"):
        Journal(path)


def test_rotation_keeps_the_last_four(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ROTATE_BYTES", 100)
    with Journal(path) as opened:
        for number in range(7):
            opened.begin(f"op{number}", INTENT)
            opened.rotate()
            assert opened.pending, "nothing is rotated while something is under way"
            opened.end(f"op{number}", landed=True)
            opened.rotate()
        opened.begin("last", INTENT)
    with Journal(path) as again:
        assert again.pending and again.pending["op"] == "last"
        assert again.epoch == 2
    assert len(journal.segments(path)) == journal.KEPT_SEGMENTS


def test_a_full_disk_leaves_no_half_record(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(fd: int, data: bytes) -> None:
        os.write(fd, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with Journal(path) as opened:
        before = path.read_bytes()
        with monkeypatch.context() as patch, pytest.raises(DiskFull):
            patch.setattr(files, "write_all", half)
            opened.begin("op1", INTENT)
        assert path.read_bytes() == before
        assert opened.pending is None
        opened.begin("op2", INTENT)
    assert journal.read(path).pending


def test_a_failed_sync_ends_the_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with Journal(path) as opened:
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(SyncFailed):
            opened.begin("op1", INTENT)


def test_the_reserve_is_space_that_is_really_taken(path: Path) -> None:
    path.parent.mkdir()
    journal.fill_reserve(path)
    assert journal.reserve(path).stat().st_blocks * 512 >= journal.RESERVE_BYTES
    journal.free_reserve(path)
    assert not journal.reserve(path).exists()
