"""A gallery of cheats, each refused by the check that is meant for it; honest changes are not.

Every cheat would be green if the tests alone were asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from aifactory import gate, policy
from aifactory.errors import PolicyDenied
from aifactory.gate import GateResult
from aifactory.gate.machinery import TestMachinery
from aifactory.model import Change, Task
from aifactory.settings import Policy, Strength
from tests.gate.conftest import MakeRoom

SUITE = "python -m pytest -q tests"
BASE = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "tests/test_calc.py": "from calc import add\n\n\ndef test_add():\n"
    "    assert add(2, 2) == 4\n    assert add(0, 0) == 0\n",
}
HONEST = {"calc.py": "def add(a, b):\n    return a + b\n"}
HIDDEN = "import os\n(end,) = [one for name, one in vars(os).items() if name[1:] == 'exit']\n"
EMPTIED = BASE["tests/test_calc.py"].replace("assert add(2, 2) == 4", "{}")
TEST = "tests/test_calc.py"


@dataclass(frozen=True)
class Cheat:
    """A change, None for a file that is gone, and what the check says of it."""

    check: str
    told: str
    change: Mapping[str, str | None]
    task: Mapping[str, Any] = field(default_factory=dict)
    strength: Mapping[str, Any] = field(default_factory=dict)


CHEATS = {
    "a stub": Cheat(
        "gate commands", "ended with exit code 1", {"calc.py": "def add(a, b):\n    return 0\n"}
    ),
    "a deleted test": Cheat("kept tests", "is deleted: test_add is gone", {TEST: None}),
    "a renamed test": Cheat(
        "kept tests",
        "test_add is gone",
        {TEST: BASE[TEST].replace("def test_add", "def check_add")},
    ),
    "a skipped test": Cheat(
        "kept tests",
        "test_add is skipped",
        {TEST: "import pytest\n" + BASE[TEST].replace("def ", "@pytest.mark.skip\ndef ")},
    ),
    "an assertion that is gone": Cheat(
        "kept tests", "test_add asserts less", {TEST: EMPTIED.format("pass")}
    ),
    "an assertion on a constant": Cheat(
        "kept tests", "is true whatever the code does", {TEST: EMPTIED.format("assert 4 == 4")}
    ),
    "a new test of nothing": Cheat(
        "kept tests",
        "is true whatever the code does",
        {**HONEST, "tests/test_more.py": "def test_more():\n    assert True\n"},
    ),
    "a conftest.py that passes everything": Cheat(
        "test machinery",
        "hooks into the test runner: pytest_pyfunc_call",
        {"conftest.py": "def pytest_pyfunc_call(pyfuncitem):\n    return True\n"},
    ),
    "a conftest.py that replaces what is tested": Cheat(
        "test machinery",
        "hooks into the test runner: calc.add",
        {"tests/conftest.py": "import calc\ncalc.add = int.__add__\n"},
    ),
    "a fixture for every test": Cheat(
        "test machinery",
        "hooks into the test runner: right",
        {
            "tests/conftest.py": "import calc, operator, pytest\n@pytest.fixture(autouse=True)\n"
            "def right(monkeypatch):\n    monkeypatch.setattr(calc, 'add', operator.add)\n"
        },
    ),
    "a fixture in the place of another": Cheat(
        "test machinery",
        "tests/conftest.py: replaces the fixture tmp_path",
        {**HONEST, "tests/conftest.py": "import pytest\n@pytest.fixture\ndef tmp_path(): ...\n"},
    ),
    "other settings of a runner in JavaScript": Cheat(
        "test machinery",
        "is a setting of the test runner",
        {**HONEST, "web/jest.config.cjs": "module.exports = {testMatch: []}\n"},
    ),
    "a hook that ends with 0": Cheat(
        "test machinery",
        "hooks into the test runner: pytest_sessionfinish",
        {"conftest.py": "import os\ndef pytest_sessionfinish(session):\n    os._exit(0)\n"},
    ),
    "an exit at the end of the process": Cheat(
        "test awareness",
        "ends the process before its tests do",
        {"calc.py": "import atexit, os\natexit.register(lambda: os._exit(0))\nadd = max\n"},
    ),
    "an exit that nobody can read": Cheat(
        "tests ran",
        "pytest never told a result",
        {"calc.py": HIDDEN + "end(0)\n"},
    ),
    "an exit that nobody can read, after a red result": Cheat(
        "tests ran",
        "and yet pytest told 1 failed",
        {"calc.py": HIDDEN + "import atexit\natexit.register(end, 0)\nadd = max\n"},
    ),
    "a fixture that skips every test": Cheat(
        "tests ran",
        "leaves out 1 more tests than without the change",
        {
            TEST: "import pytest\n@pytest.fixture(autouse=True)\ndef ready():\n"
            "    pytest.skip('later')\n" + BASE[TEST]
        },
    ),
    "plugins of a module of tests": Cheat(
        "test machinery",
        "tests/test_more.py: hooks into the test runner: pytest_plugins",
        {
            "tests/test_more.py": "pytest_plugins = ['cheat']\n",
            "cheat.py": "def pytest_pyfunc_call(pyfuncitem):\n    return True\n",
        },
    ),
    "a module of tests that mends the code": Cheat(
        "test machinery",
        "tests/test_a.py: changes what is tested: calc.add",
        {"tests/test_a.py": "import calc, operator\ncalc.add = operator.add\n"},
    ),
    "a copy of the code among the tests": Cheat(
        "test machinery",
        "tests/calc.py: stands in the way of the module calc",
        {"tests/calc.py": "def add(a, b):\n    return a + b\n"},
    ),
    "expectations that fit the code": Cheat(
        "former tests",
        "with the tests as they were",
        {TEST: BASE[TEST].replace("== 4", "== 0")},
    ),
    "a start-up module": Cheat(
        "test machinery",
        "runs at the start of every Python program",
        {"sitecustomize.py": "import os\nos._exit(0)\n"},
    ),
    "a module in the place of pytest": Cheat(
        "test machinery",
        "in the way of the module pytest",
        {"pytest.py": "print('1 passed in 0s')\n"},
    ),
    "a plugin in pyproject.toml": Cheat(
        "test machinery",
        "changes [tool.pytest]",
        {
            "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p cheat"\n',
            "cheat.py": "def pytest_pyfunc_call(pyfuncitem):\n    return True\n",
        },
    ),
    "settings that select no test": Cheat(
        "test machinery",
        "a setting of the test runner",
        {"pytest.ini": "[pytest]\naddopts = --co\n"},
    ),
    "code that asks for the variable of the test run": Cheat(
        "test awareness",
        "PYTEST_CURRENT_TEST",
        {
            "calc.py": "import os\ndef add(a, b):\n"
            "    return a + b if 'PYTEST_CURRENT_TEST' in os.environ else 0\n"
        },
    ),
    "code that asks for the module of the runner": Cheat(
        "test awareness",
        "asks whether it is tested",
        {"calc.py": "import sys\ndef add(a, b):\n    return 'pytest' in sys.modules and a + b\n"},
    ),
    "code that asks how it was started": Cheat(
        "test awareness",
        "asks whether it is tested",
        {
            "calc.py": "import sys\ndef add(a, b):\n"
            "    return a + b if sys.argv[0].endswith('pytest/__main__.py') else 0\n"
        },
    ),
    "acceptance that proves nothing": Cheat(
        "acceptance proof",
        "passes without the change, too",
        HONEST,
        {"acceptance_commands": ["python -c 'import calc'"]},
        {"acceptance": "refuse"},
    ),
    "new tests that prove nothing": Cheat(
        "new tests",
        "its new tests pass without the change",
        {
            **HONEST,
            "tests/test_more.py": "import calc\ndef test_more():\n    assert calc.add(1, 0) == 1\n",
        },
        strength={"new_tests": "refuse"},
    ),
}


@pytest.fixture
def judge(make_quick_room: MakeRoom, repository: Any) -> Any:
    """The gate's result for a change of BASE, with every check as the owner wants it."""

    def judged(change: Mapping[str, str | None], task: Any = None, **strength: Any) -> GateResult:
        base = make_quick_room(BASE).tree
        for path in (path for path, text in change.items() if text is None):
            (repository.root / path).unlink()
        return gate.run(
            make_quick_room(
                {path: text for path, text in change.items() if text is not None},
                SUITE,
                base=base,
                task=task,
                strength=Strength(**strength),
            )
        )

    return judged


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_refused_by_the_check_that_is_meant_for_it(name: str, judge: Any) -> None:
    cheat = CHEATS[name]
    found = judge(cheat.change, cheat.task, **cheat.strength)
    assert [verdict.check for verdict in found.red] == [cheat.check], found.message
    assert cheat.told in found.message


@pytest.mark.parametrize("path", ["aifactory.toml", "scripts/verify.sh", "Makefile"])
def test_an_edited_gate_is_refused_before_anything_runs(path: str) -> None:
    with pytest.raises(PolicyDenied, match="is protected"):
        policy.check(
            Task(task_id="t1", description="a task"),
            [Change(path=path, content=b"true")],
            base_paths={path: "100644"},
            policy=Policy(),
            gate_commands=["make test"],
        )


MORE = "import calc\ndef test_more():\n    assert calc.add(1, 2) == 3\n"
HONESTIES: Mapping[str, Mapping[str, str | None]] = {
    "a mended function": HONEST,
    "with a test": {**HONEST, "tests/test_more.py": MORE},
    "with a fixture": {
        **HONEST,
        "tests/conftest.py": "import pytest\n@pytest.fixture\ndef two():\n    return 2\n",
        "tests/test_more.py": "import calc\ndef test_two(two): assert calc.add(two, 1) == 3\n",
    },
    "with a test that is renamed": {
        **HONEST,
        TEST: BASE[TEST].replace("def test_add", "def test_sums_are_right"),
    },
    "with a test that moves": {**HONEST, TEST: None, "tests/test_sums.py": BASE[TEST]},
    "with a package": {**HONEST, "pyproject.toml": '[project]\nname = "calc"\nversion = "1"\n'},
}


@pytest.mark.parametrize("name", HONESTIES)
def test_an_honest_change_passes_with_every_check_on(name: str, judge: Any) -> None:
    accept = {"acceptance_commands": ["python -c 'import calc; assert calc.add(1, 1) == 2'"]}
    found = judge(HONESTIES[name], accept, acceptance="refuse", new_tests="refuse")
    assert found.ok, found.evidence()


STEERING = {
    "conftest.py": "import pytest\n@pytest.fixture\ndef two(): return 2\n",
    "pytest.ini": "[pytest]\naddopts = --strict-markers\n",
    "tox.ini": "[pytest]\naddopts = --strict-markers\n",
    "setup.cfg": "[tool:pytest]\naddopts = --strict-markers\n",
    "sitecustomize.py": "",
    "paths.pth": "lib\n",
    "package.json": '{"scripts": {"test": "jest"}}',
    "jest.config.js": "module.exports = {}\n",
}


@pytest.mark.parametrize("path", STEERING)
@pytest.mark.parametrize("how", ["deleted", "altered"])
def test_what_steers_the_tests_is_neither_deleted_nor_altered(
    path: str, how: str, make_quick_room: MakeRoom, repository: Any
) -> None:
    before = STEERING[path]
    base = make_quick_room({**BASE, path: before}).tree
    after = before.replace("2", "3").replace("strict", "x").replace("jest", "true") + "\n"
    (repository.root / path).unlink()
    there = {path: after} if how == "altered" else {}
    verdict = TestMachinery().run(make_quick_room({**BASE, **HONEST, **there}, base=base))
    assert verdict and not verdict.ok
    assert path in verdict.message + verdict.evidence


def test_a_new_project_may_say_how_it_is_tested(make_quick_room: MakeRoom) -> None:
    base = make_quick_room({"README.md": "to be written\n"}).tree
    settings = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n'
    new = {"pyproject.toml": settings, "package.json": '{"scripts": {"test": "jest"}}', **BASE}
    found = gate.run(make_quick_room({**new, **HONEST}, SUITE, base=base))
    assert found.ok, found.evidence()
    hooked = {"conftest.py": "def pytest_pyfunc_call(pyfuncitem):\n    return True\n"}
    assert not gate.run(make_quick_room(hooked, SUITE, base=base)).ok


def test_what_the_task_names_is_a_warning(judge: Any) -> None:
    weaker = {**HONEST, TEST: EMPTIED.format("pass")}
    found = judge(weaker, {"files": ["calc.py", TEST]})
    assert found.ok
    (kept,) = [verdict for verdict in found.verdicts if verdict.check == "kept tests"]
    assert kept.message.startswith("warning: tests/test_calc.py: test_add asserts less")
    assert not judge({**weaker, "a.txt": "1"}, {"files": ["calc.py", "tests/**"]}).ok


def test_every_check_can_be_turned_off(judge: Any) -> None:
    found = judge({TEST: None, "conftest.py": "collect_ignore = []\n", "tests/test_b.py": MORE[:7]},
                  tests="off", machinery="off")  # fmt: skip
    assert {verdict.check for verdict in found.red} == {"gate commands"}
