"""What runners tell at their end, and what is wrong with a green one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from aifactory import gate
from aifactory.gate.results import Result, runner_of
from tests.gate.conftest import MakeRoom

PYTEST = "..F [100%]\n=== 1 failed, 2 passed, 3 skipped, 1 deselected, 1 warning in 0.12s ===\n"
UNITTEST = "Ran 4 tests in 0.001s\n\nFAILED (failures=1, skipped=2, expected failures=1)\n"
NODE = "1..2\n# tests 2\n# suites 0\n# pass 0\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n"


@pytest.mark.parametrize(
    ("command", "output", "result"),
    [
        ("python -m pytest -q", PYTEST, Result(6, 1, 4)),
        ("pytest tests", "no tests ran in 0.01s\n", Result(0)),
        ("pytest", "1 passed in 0.1s\n2 passed, 1 error in 61.00s (0:01:01)\n", Result(3, 1)),
        ("pytest", "all is well\n", None),
        ("python3 -m unittest", UNITTEST, Result(4, 1, 3)),
        ("python -m unittest", "Ran 1 test in 0.0s\n\nOK\n", Result(1)),
        ("python -m unittest", "", None),
        ("node --test web/", NODE, Result(2, 1, 1)),
        ("node --test", "\u2139 tests 3\n\u2139 pass 3\n\u2139 fail 0\n", Result(3)),
    ],
)
def test_a_runner_tells_its_result(command: str, output: str, result: Result | None) -> None:
    runner = runner_of(command)
    assert runner and runner.read(output) == result


@pytest.mark.parametrize(
    "command",
    ["make test", "pytest --co", "pytest -qq", "python t.py", "node --test --test-reporter=dot"],
)
def test_what_is_no_run_of_tests_is_not_asked(command: str) -> None:
    assert runner_of(command) is None


def said(make_quick_room: MakeRoom, before: Mapping[str, str], after: Mapping[str, str],
         command: str) -> str:  # fmt: skip
    base = make_quick_room(before).tree
    found = gate.run(make_quick_room(after, command, base=base))
    assert [one.check for one in found.red] in ([], ["tests ran"]), found.message
    return found.message


UNIT = """import unittest

from calc import add


class TestAdd(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(2, 2), 4)
"""
WRONG, RIGHT = (f"def add(a, b):\n    return a {sign} b\n" for sign in "-+")


def test_unittest_that_skips_is_told(make_quick_room: MakeRoom) -> None:
    before = {"calc.py": WRONG, "test_calc.py": UNIT}
    skipping = UNIT.replace(
        "    def test", "    def setUp(self):\n        later(self)\n\n    def test"
    )
    skipping += "\n\ndef later(test):\n    getattr(test, 'skipTest')('later')\n"
    told = said(make_quick_room, before, {"test_calc.py": skipping}, "python -m unittest")
    assert "`python -m unittest` leaves out 1 more tests than without the change" in told
    assert said(make_quick_room, before, {"calc.py": RIGHT, "test_calc.py": UNIT},
                "python -m unittest") == ""  # fmt: skip


def test_a_runner_that_is_quiet_by_its_settings_is_believed(make_quick_room: MakeRoom) -> None:
    settings = {"pytest.ini": "[pytest]\naddopts = -q\n"}
    before = {"calc.py": WRONG, "test_calc.py": UNIT} | settings
    assert said(make_quick_room, before, {"calc.py": RIGHT}, "python -m pytest -q") == ""


SUM = "function add(a, b) {\n  return a - b;\n}\n\nmodule.exports = { add };\n"
TESTED = """const test = require("node:test");
const assert = require("node:assert");
const { add } = require("./sum.js");

test("adds", () => assert.strictEqual(add(2, 2), 4));
test("zero", () => assert.strictEqual(add(0, 1), 1));
"""


def test_a_file_that_ends_before_its_tests_is_told(make_quick_room: MakeRoom) -> None:
    before = {"web/sum.js": SUM, "web/sum.test.js": TESTED}
    ended = "(() => process.exit(0))();\n" + SUM
    told = said(make_quick_room, before, {"web/sum.js": ended}, "node --test web/")
    assert "`node --test web/` ran 1 tests, and 2 without the change" in told
    hidden = "process['ex' + 'it'](0);\n" + SUM
    assert "ran 1 tests" in said(
        make_quick_room, before, {"web/sum.js": hidden}, "node --test web/"
    )
    honest = SUM.replace("a - b", "a + b") + "if (require.main === module) process.exit(0);\n"
    assert said(make_quick_room, before, {"web/sum.js": honest}, "node --test web/") == ""
