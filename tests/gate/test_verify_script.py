"""A repository's own verify script: run as the gate, and not for the change to rewrite."""

from __future__ import annotations

from aifactory import gate
from aifactory.sandbox import FakeSandbox
from tests.conftest import Checkout
from tests.gate.conftest import MakeRoom

SCRIPT = "scripts/verify.sh"


def test_run_where_there_is_one(make_room: MakeRoom) -> None:
    sandbox = FakeSandbox()
    assert gate.run(make_room({"a": "1"}, sandbox=sandbox)).ok
    assert not sandbox.ran
    assert gate.run(make_room({SCRIPT: "true\n"}, "make", sandbox=sandbox)).ok
    assert [spec.argv for spec in sandbox.ran] == [("make",), ("bash", SCRIPT)]


def test_exempt(make_room: MakeRoom) -> None:
    sandbox = FakeSandbox(default=1)
    room = make_room({SCRIPT: "false\n"}, task={"verify_exempt": True}, sandbox=sandbox)
    assert gate.run(room).ok
    assert not sandbox.ran


def test_a_change_does_not_judge_itself(make_room: MakeRoom) -> None:
    base = make_room({SCRIPT: "python -m pytest\n"}).tree
    changed = make_room({SCRIPT: "true\n"}, base=base)
    assert gate.run(changed).message == (
        "verify script: the change touches scripts/verify.sh, which judges it"
    )
    named = make_room({"a": "1"}, base=base, task={"files": ["./scripts/verify.sh"]})
    assert gate.run(named).ok
    Checkout(changed.repository.root).git("rm", "-q", SCRIPT)
    removed = make_room({"b": "1"}, base=base)
    assert not gate.run(removed).ok
    new = make_room({SCRIPT: "true\n"}, base=removed.tree)
    assert gate.run(new).ok
