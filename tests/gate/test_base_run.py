"""Whose fault is a red gate?"""

from __future__ import annotations

from aifactory import gate
from aifactory.gate.base_run import broken_on_base, signature
from aifactory.model import CommandRecord
from tests.gate.conftest import MakeRoom


def test_red_without_the_change_too(make_caged_room: MakeRoom) -> None:
    fails = "import time; raise SystemExit(f'no such host at {time.time()}')"
    command = "python check.py"
    base = make_caged_room({"check.py": fails}, command)
    found = gate.run(make_caged_room({"other.py": "1"}, command))
    (comparison,) = broken_on_base(base, found)
    assert comparison.command == command
    assert (comparison.red_on_base, comparison.same_signature) == (True, True)


def test_red_by_the_change(make_caged_room: MakeRoom) -> None:
    command = "python check.py"
    base = make_caged_room({"check.py": "print('fine')"}, "true", command)
    found = gate.run(make_caged_room({"check.py": "raise SystemExit('broken')"}, "true", command))
    (comparison,) = broken_on_base(base, found)
    assert (comparison.red_on_base, comparison.same_signature) == (False, False)


def test_a_red_base_that_the_change_made_another_red(make_caged_room: MakeRoom) -> None:
    command = "python check.py"
    base = make_caged_room({"check.py": "raise SystemExit('one')"}, command)
    found = gate.run(make_caged_room({"check.py": "raise SystemExit('two')"}, command))
    (comparison,) = broken_on_base(base, found)
    assert (comparison.red_on_base, comparison.same_signature) == (True, False)


def test_green_needs_no_base(make_room: MakeRoom) -> None:
    room = make_room({"a": "1"}, "true")
    assert broken_on_base(room, gate.run(room)) == ()


def record(output: str, exit_code: int = 1) -> CommandRecord:
    return CommandRecord(argv=("x",), exit_code=exit_code, output=output)


def test_signature_sees_words_not_numbers() -> None:
    first = record("at 0x7f11 in 0.32s\n  File /cache/1/tree line 12, commit deadbeef12\n")
    second = record("at 0x7f99 in 12.1s\nFile /cache/2/tree line 9, commit 0123456789abc\n\n")
    assert signature(first) == signature(second)
    assert signature(first) != signature(record(first.output, exit_code=2))
    assert signature(first) != signature(record(first.output + "and more"))


def test_signature_is_what_a_test_runner_lists() -> None:
    first = record("...F [100%]\nFAILED t.py::test_a - assert 1\n1 failed, 3 passed in 0.1s")
    second = record("..F [100%]\nFAILED t.py::test_a - assert 2\n1 failed, 2 passed in 0.2s")
    other = record("..F [100%]\nFAILED t.py::test_b - assert 2\n1 failed, 2 passed in 0.2s")
    assert signature(first) == signature(second) != signature(other)
