"""A second run of a red command labels, and pytest leaves out what does not count."""

from __future__ import annotations

from aifactory import gate
from tests.gate.conftest import MakeRoom

SUITE = {
    "tests/test_a.py": "def test_good(): pass\ndef test_bad(): assert 0\n",
    "run.sh": "python -m pytest -q tests\n",
}


def test_steady_failures_are_not_flaky(make_quick_room: MakeRoom) -> None:
    base = make_quick_room({"README.md": "none"}).tree
    found = gate.run(make_quick_room({"check.py": "raise SystemExit(1)"}, "python check.py",
                                     base=base))  # fmt: skip
    assert (found.flaky, found.passed_again, found.broken) == ((), False, "")
    assert [record.details.get("on") for record in found.commands] == [None, "base", "rerun"]


def test_ignored_tests_are_left_out_however_deep(make_quick_room: MakeRoom) -> None:
    assert not gate.run(make_quick_room(SUITE, "bash run.sh")).ok
    ignoring = make_quick_room(SUITE, "bash run.sh", ignored=("tests/test_a.py::test_bad",))
    found = gate.run(ignoring)
    assert found.ok, found.evidence()
    assert "1 passed, 1 deselected" in found.commands[0].output
