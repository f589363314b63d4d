"""Commands that a dying daemon leaves: each has a note until it has its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory import underway
from aifactory.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, tmp_path / ".git")


def test_a_command_that_ended_leaves_nothing(layout: Layout) -> None:
    underway.begin(layout, "t1", 1, "pytest -q")
    underway.begin(layout, "t1", 1, "mypy")
    underway.end(layout, "t1", 1, "pytest -q")
    assert [one.record.argv for one in underway.cut(layout)] == [("mypy",)]
    underway.end(layout, "t1", 1, "what mypy is called in the record")
    underway.end(layout, "t1", 1, "what has no note")
    assert list(underway.cut(layout)) == []


def test_what_did_not_end_is_told_oldest_first(layout: Layout) -> None:
    underway.begin(layout, "t2", 1, "mypy")
    underway.begin(layout, "t1", 1, "ruff")
    underway.begin(layout, "t1", 1, "pytest -q")
    found = list(underway.cut(layout))
    assert [(one.task_id, one.record.argv) for one in found] == [
        ("t2", ("mypy",)),
        ("t1", ("ruff",)),
        ("t1", ("pytest -q",)),
    ]
    assert found[0].record.killed_by == "daemon"
    assert not found[0].record.ok
    assert found[0].record.details["cut"] == "by the end of the daemon"


def test_half_a_note_is_put_away(layout: Layout) -> None:
    underway.begin(layout, "t1", 1, "pytest")
    note = next(layout.underway.glob("*.json"))
    note.write_text('{"task": "t1", "att')
    assert list(underway.cut(layout)) == []
    assert not note.exists()


def test_a_secret_in_a_command_is_not_written(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "canary-0123456789")
    underway.begin(layout, "t1", 1, "curl canary-0123456789")
    assert b"canary" not in next(layout.underway.glob("*.json")).read_bytes()
