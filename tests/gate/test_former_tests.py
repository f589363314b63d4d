"""Tests that a change made agree with the code do not count; honest changes of tests do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from aifactory import gate
from aifactory.gate import GateResult
from tests.gate.conftest import MakeRoom

SUITE = "python -m pytest -q tests"
CALC = "def add(a, b):\n    return a - b\n\n\ndef half(a):\n    return a / 2\n"
GOOD = CALC.replace("a - b", "a + b")
TEST = "tests/test_calc.py"
TESTS = """\
import json
import pathlib

import pytest

from calc import add, half
from tests.helpers import check

CASES = [(1, 2, 3), (2, 5, 7)]


@pytest.mark.parametrize("a, b, total", CASES)
def test_add(a, b, total):
    assert add(a, b) == total


def test_half():
    assert half(5) == pytest.approx(2.5)


def test_recorded():
    for a, b, total in json.loads(pathlib.Path(__file__).with_name("sums.json").read_text()):
        check(add(a, b), total)
"""
BASE = {
    "calc.py": CALC,
    "tests/__init__.py": "",
    "tests/helpers.py": "def check(found, expected):\n    assert found == expected\n",
    "tests/sums.json": "[[4, 5, 9]]\n",
    TEST: TESTS,
}
Judge = Callable[..., GateResult]
Files = Mapping[str, str | None]


@pytest.fixture
def judge(make_quick_room: MakeRoom, repository: Any) -> Judge:
    def judged(change: Files, description: str = "Sums are wrong.", **task: Any) -> GateResult:
        base = make_quick_room(BASE).tree
        for path in (path for path, text in change.items() if text is None):
            (repository.root / path).unlink()
        there = {path: text for path, text in change.items() if text is not None}
        told = {"description": description, **task}
        return gate.run(make_quick_room(there, SUITE, base=base, task=told))

    return judged


FITTED = TESTS.replace("(1, 2, 3), (2, 5, 7)", "(1, 2, -1), (2, 5, -3)")
CHEATS: Mapping[str, Files] = {
    "expectations fitted to the bug": {TEST: FITTED, "tests/sums.json": "[[4, 5, -1]]\n"},
    "a record fitted to the bug": {"calc.py": GOOD + "\n\nold = add\n\n\ndef add(a, b):\n"
                                   "    return 0 if a == 4 else old(a, b)\n",
                                   "tests/sums.json": "[[4, 5, 0]]\n"},
    "a record without a case": {"calc.py": GOOD.replace("a + b", "a + b if a != 4 else 0"),
                                "tests/sums.json": "[]\n"},
    "equality within a hundred": {
        TEST: TESTS.replace("== total", "== pytest.approx(total, abs=99)"),
        "tests/helpers.py": "def check(found, expected):\n"
        "    assert expected == found + expected - found\n"},
    "a condition that is always met": {
        TEST: TESTS.replace("total):\n", "total):\n    if CASES:\n        return\n"),
        "tests/sums.json": "[]\n"},
    "a helper that asks the code itself": {
        "tests/helpers.py": "from calc import add\n\n\ndef check(found, expected):\n"
        "    assert found == (expected if add(1, 1) == 2 else found)\n",
        TEST: TESTS.replace("== total", "== total + add(a, b) - total")},
    "a package that mends the code": {"tests/__init__.py": "from tests import mended\n",
                                      "tests/mended.py": "import calc\n\n\ndef mend():\n"
                                      "    calc.add = lambda a, b: a + b\n\n\nmend()\n"},
    "a new test that mends the code while it runs": {
        "tests/test_aaa.py": "import calc\n\n\ndef test_half_of_four():\n"
        "    calc.add.__code__ = (lambda a, b: a + b).__code__\n"
        "    assert calc.half(4) == 2\n"},
    "a greater mistake behind a smaller one": {
        "calc.py": GOOD.replace("a / 2", "a // 2"),
        TEST: TESTS.replace("approx(2.5)", "approx(2)")},
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_tests_that_agree_with_the_code_do_not_count(name: str, judge: Judge) -> None:
    found = judge(CHEATS[name])
    (red,) = found.red
    assert red.check == "former tests", found.message
    assert red.message.startswith(f"with the tests as they were, `{SUITE}` fails: tests/test_calc")
    assert "does not name in `files` may not be fitted to the code" in red.evidence


HONEST: Mapping[str, Files] = {
    "renamed tests": {"calc.py": GOOD, TEST: TESTS.replace("test_add", "test_sums")},
    "more cases": {"calc.py": GOOD, TEST: TESTS.replace("(2, 5, 7)", "(2, 5, 7), (0, 0, 0)"),
                   "tests/sums.json": "[[4, 5, 9], [1, 1, 2]]\n"},
    "cases one by one": {"calc.py": GOOD, TEST: TESTS.replace(
        "    assert half(5) == pytest.approx(2.5)",
        "    for whole, part in [(5, 2.5), (4, 2)]:\n"
        "        assert half(whole) == pytest.approx(part)")},
    "a helper of another name": {
        "calc.py": GOOD, TEST: TESTS.replace("check", "compare"),
        "tests/helpers.py": "def compare(found, expected):\n    assert found == expected\n"},
    "a helper that moves": {
        "calc.py": GOOD, TEST: TESTS.replace("tests.helpers", "tests.checks"),
        "tests/helpers.py": None, "tests/checks.py": BASE["tests/helpers.py"]},
    "tests that move": {"calc.py": GOOD, TEST: None, "tests/test_sums.py": TESTS},
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_change_of_tests_lands(name: str, judge: Judge) -> None:
    found = judge(HONEST[name])
    assert found.ok, found.evidence()


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("Mend the sums; half gives whole numbers from now on.", "warning: "),
        ("Mend sums, round down and update the tests.", "warning: "),
        ("Mend the sums.", "with the tests as they were"),
    ],
)
def test_what_the_task_speaks_of_may_be_expected_anew(
    description: str, told: str, judge: Judge
) -> None:
    change = CHEATS["a greater mistake behind a smaller one"]
    found = judge(change, description)
    (verdict,) = [one for one in found.verdicts if one.check == "former tests"]
    assert verdict.message.startswith(told)
    assert found.ok == told.startswith("warning")


def test_a_name_that_the_task_changes_may_be_gone(judge: Judge) -> None:
    renamed = {"calc.py": GOOD.replace("half", "part"), TEST: TESTS.replace("half", "part")}
    assert judge(renamed, "Mend the sums and call half part.").ok
    assert not judge(renamed).ok


@pytest.mark.parametrize(
    "command", ["python -m unittest tests.test_more", "python -m pytest -q tests/test_more.py"]
)
def test_acceptance_may_ask_for_a_test_that_is_to_be_written(command: str, judge: Judge) -> None:
    more = "import unittest\n\nfrom calc import half\n\n\nclass TestHalf(unittest.TestCase):\n"
    more += "    def test_half(self):\n        self.assertEqual(half(4), 2)\n"
    found = judge({"calc.py": GOOD, "tests/test_more.py": more}, acceptance_commands=[command])
    assert found.ok, found.evidence()


@pytest.mark.parametrize(
    ("needs", "path", "text"),
    [
        ("def test_two(two):\n", "tests/conftest.py",
         "import pytest\n\n\n@pytest.fixture\ndef two():\n    return 2\n"),
        ("from tests.lately import two\n\n\ndef test_two():\n", "tests/lately.py", "two = 2\n"),
        ("def test_two():\n    two = int(open('tests/two.txt').read())\n", "tests/two.txt", "2"),
    ],
)  # fmt: skip
def test_what_the_tests_miss_may_be_brought(
    needs: str, path: str, text: str, make_quick_room: MakeRoom
) -> None:
    waiting = "from calc import half\n" + needs + "    assert half(4) == two\n"
    base = make_quick_room({"calc.py": CALC, "tests/test_two.py": waiting,
                            "tests/__init__.py": ""}).tree  # fmt: skip
    found = gate.run(make_quick_room({path: text}, SUITE, base=base))
    assert found.ok, found.evidence()


def test_the_owners_script_counts_as_well(make_quick_room: MakeRoom) -> None:
    script = {"scripts/verify.sh": f"exec {SUITE}\n"}
    base = make_quick_room(BASE | script).tree
    fitted = {path: text or "" for path, text in CHEATS["expectations fitted to the bug"].items()}
    found = gate.run(make_quick_room(fitted, base=base))
    assert [one.check for one in found.red] == ["former tests"], found.message


def test_what_the_task_names_is_its_own(judge: Judge) -> None:
    fitted = CHEATS["expectations fitted to the bug"]
    assert judge(fitted, files=["calc.py", TEST, "tests/sums.json"]).ok
    assert not judge(fitted, files=["calc.py", "tests/**"]).ok
