"""What a command's output says of its failure."""

from __future__ import annotations

import pytest

from aifactory.gate.failures import failed_tests, missing_modules, signature
from aifactory.model import CommandRecord


def record(output: str, exit_code: int = 1) -> CommandRecord:
    return CommandRecord(argv=("x",), exit_code=exit_code, output=output)


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("FAILED t/a.py::test_one - assert 1\n1 failed in 0.1s", {"t/a.py::test_one"}),
        ("FAILED t/a.py::T::test_x[a b - c] - no\n", {"t/a.py::T::test_x[a b - c]"}),
        ("ERROR t/a.py - ModuleNotFoundError\nERROR t/b.py\n", {"t/a.py", "t/b.py"}),
        ("ERROR: file or directory not found: t/none.py\n", set()),
        ("FAIL: test_add (tests.CalcTest)\n---\n", {"test_add (tests.CalcTest)"}),
        ("--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/two (0.00s)\n", {"TestA", "TestA/two"}),
        ("test math::adds ... FAILED\ntest math::halves ... ok\n", {"math::adds"}),
        ("ok 1 - one\nnot ok 2 - adds two\n", {"adds two"}),
        ("  ● calc \u203a adds two\n", {"calc \u203a adds two"}),
        ("expected 42, got 41\n", set()),
    ],
)
def test_failed_tests_by_the_names_of_their_runner(output: str, names: set[str]) -> None:
    assert failed_tests(record(output)) == names


def test_missing_modules() -> None:
    said = "ModuleNotFoundError: No module named 'bill.shares'\n/x/python: No module named pytest\n"
    assert missing_modules(record(said)) == {"bill", "pytest"}


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
