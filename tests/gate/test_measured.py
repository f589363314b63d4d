"""How much of a change its checks run, and how much of it they would notice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from aifactory import gate
from aifactory.errors import GateBroken
from aifactory.gate import GateResult
from aifactory.gate.program import source_of
from aifactory.settings import Strength
from tests.gate.conftest import MakeRoom

BASE = {"calc.py": "def old(a):\n    return a * 2\n", "check.py": "import calc\n"}
CALC = """\
def old(a):
    return a * 2


def limit(a, most):
    if a > most:
        return most
    return a
"""
LAX = "import calc\nassert calc.limit(1, 9) == 1\n"
STRICT = LAX + "assert calc.limit(10, 9) == 9\nassert calc.limit(9, 9) == 9\n"
CHANGE = {"calc.py": CALC}


@pytest.fixture
def judge(make_quick_room: MakeRoom) -> Any:
    def judged(change: Mapping[str, str], *commands: str, **strength: Any) -> GateResult:
        base = make_quick_room(BASE).tree
        given = commands or ("python check.py",)
        return gate.run(make_quick_room(change, *given, base=base, strength=Strength(**strength)))

    return judged


def test_changed_lines_that_nothing_runs(judge: Any) -> None:
    found = judge(CHANGE | {"check.py": LAX}, coverage=90)
    assert found.message == (
        "changed-line coverage: 4 of 5 changed statements are run, 80 of 90 percent"
    )
    assert "calc.py:7 is not run by any check" in found.evidence()
    assert judge(CHANGE | {"check.py": LAX + "\n"}, coverage=80).ok


def test_lines_are_counted_in_scripts_and_in_processes_of_tests_too(judge: Any) -> None:
    spawns = "import subprocess, sys\nsubprocess.run([sys.executable, 'check.py'], check=True)\n"
    files = {**CHANGE, "check.py": STRICT, "spawn.py": spawns, "run.sh": "python spawn.py\n"}
    found = judge(files, "bash run.sh", coverage=100)
    assert found.ok, found.evidence()


def test_no_line_can_say_that_it_does_not_count(judge: Any) -> None:
    excused = CALC.replace("return most", "return most  # pragma: no cover")
    assert not judge({"calc.py": excused, "check.py": LAX}, coverage=90).ok


def test_coverage_that_is_not_installed_is_the_owners_to_mend(
    judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_of("coverage_lines")
    without = "sys.modules['coverage'] = None\ngiven ="
    lacking = source.replace("given =", without, 1)
    monkeypatch.setattr("aifactory.gate.program.source_of", lambda name: lacking)
    with pytest.raises(GateBroken, match="coverage is not installed"):
        judge(CHANGE, coverage=90)


def test_mutants_that_nothing_notices(judge: Any) -> None:
    found = judge(CHANGE | {"check.py": LAX}, mutation=100)
    assert found.message.startswith("mutation: ")
    assert "no check notices calc.py:6 in limit: `a > most` as `(a >= most)`" in found.evidence()
    assert "no check notices calc.py:7 in limit: `return most` as `return None`" in found.evidence()
    assert "old" not in found.evidence()  # it did not change


def test_mutants_that_are_noticed(judge: Any) -> None:
    found = judge(CHANGE | {"check.py": STRICT}, mutation=60)
    assert found.ok, found.evidence()
    (said,) = [verdict for verdict in found.verdicts if verdict.check == "mutation"]
    assert "2 of 3 mutants were noticed" in said.message  # at the limit `>` and `>=` are the same


def test_the_time_box_holds_and_says_what_was_left(judge: Any) -> None:
    slow = "import time\ntime.sleep(0.8)\n" + STRICT
    found = judge(CHANGE | {"check.py": slow}, mutation=0, mutation_seconds=1.0)
    (said,) = [verdict for verdict in found.verdicts if verdict.check == "mutation"]
    assert "not tried in 1 s" in said.message
    assert next(record for record in found.commands if record.argv == ("mutation",))


def test_without_python_in_the_change_there_is_nothing_to_measure(judge: Any) -> None:
    found = judge({"README.md": "more\n"}, coverage=100, mutation=100)
    assert found.ok
    assert [one.message for one in found.verdicts][-2:] == [
        "no Python statement changed",
        "nothing to change, or nothing to run",
    ]


def test_in_the_cage_on_a_large_project(make_caged_room: MakeRoom) -> None:
    """Five thousand lines, of which one function changed: both stay far within their time."""
    body = "".join(f"def f{n}(a):\n    return a + {n}\n\n\n" for n in range(1250))
    check = "import big\nassert big.limit(10, 9) == 9 and big.limit(1, 9) == 1\n"
    limit = CALC[CALC.index("def limit") :]
    base = make_caged_room({"big.py": body, "check.py": check}).tree
    wanted = Strength(coverage=100, mutation=60, mutation_seconds=100)
    room = make_caged_room(
        {"big.py": f"{body}{limit}"}, "python check.py", base=base, strength=wanted
    )
    started = time.monotonic()
    found = gate.run(room)
    assert found.ok, found.evidence()
    assert time.monotonic() - started < 100
    (said,) = [verdict for verdict in found.verdicts if verdict.check == "mutation"]
    assert said.message == "2 of 3 mutants were noticed, 67 of 60 percent"
