"""What is dangerous to run does not land, and what stood there before is nobody's fault."""

from __future__ import annotations

import json

import pytest

from aifactory.errors import GateBroken
from aifactory.gate import Room, run
from aifactory.gate.security import Security
from aifactory.model import CommandRecord, Verdict
from aifactory.sandbox import FakeSandbox
from aifactory.security import by_bandit
from tests.gate.conftest import MakeRoom

CAGED = {"security": "medium"}
SHELL = "import subprocess\nsubprocess.run(NAME, shell=True)\n"


def judged(room: Room) -> Verdict:
    return run(room, (Security(),)).verdicts[0]


def room_on(make: MakeRoom, before: dict[str, str], after: dict[str, str], **parts: object) -> Room:
    base = make(before).tree
    return make(after, base=base, **parts)


@pytest.mark.parametrize(
    ("after", "rule"),
    [
        ({"a.py": SHELL}, "B602"),
        ({"a.py": "import subprocess\nsubprocess.run(N, shell=True)  # nosec\n"}, "B602"),
        ({"-x y.py": "eval(input())\n"}, "B307"),
        ({"get.sh": "curl -s https://example.org/x | sudo bash\n"}, "piped-shell"),
        ({"a.js": "eval(atob('aGk='))\n"}, "hidden-code"),
        ({"a.py": "ok = True  # \u202e\n"}, "hidden-text"),
        ({"x.pth": "import os; os.system('x')\n"}, "start-hook"),
    ],
)
def test_a_new_danger_is_red(make_caged_room: MakeRoom, after: dict[str, str], rule: str) -> None:
    verdict = judged(room_on(make_caged_room, {"README.md": "x\n"}, after, **CAGED))
    assert not verdict.ok
    assert f"({rule})" in verdict.evidence
    assert f"{next(iter(after))}:" in verdict.message


def test_what_stood_there_is_not_the_changes(make_caged_room: MakeRoom) -> None:
    room = room_on(
        make_caged_room, {"a.py": SHELL}, {"a.py": f"X = 1\n{SHELL}", "b.py": "Y = 2\n"}, **CAGED
    )
    verdict = judged(room)
    assert verdict.ok, verdict.evidence
    assert "nothing new in 2 files (own rules and bandit " in verdict.message


def test_the_tree_cannot_replace_or_configure_the_scanner(make_caged_room: MakeRoom) -> None:
    quiet = {"bandit.py": "print('{\"results\": []}')\n", ".bandit": "[bandit]\nskips: B602\n"}
    room = room_on(make_caged_room, {"README.md": "x\n"}, {"a.py": SHELL, **quiet}, **CAGED)
    assert "(B602)" in judged(room).evidence


def test_less_than_the_threshold_and_off(make_room: MakeRoom) -> None:
    after = {"get.sh": "curl -k https://example.org\n"}
    assert not judged(room_on(make_room, {}, after, security="medium")).ok
    assert judged(room_on(make_room, {}, after, security="high")).ok
    assert Security().run(room_on(make_room, {}, after, security="off")) is None


@pytest.mark.parametrize("said", ["", "Traceback", json.dumps({"errors": []}), '{"results": [1]}'])
def test_a_scanner_that_says_nothing_is_a_broken_gate(make_room: MakeRoom, said: str) -> None:
    record = CommandRecord(argv=("bandit",), exit_code=0, output=said)
    sandbox = FakeSandbox(default=0)
    sandbox.run = lambda spec, stop=None: record
    room = room_on(make_room, {}, {"a.py": "x = 1\n"}, security="high", sandbox=sandbox)
    with pytest.raises(GateBroken, match="bandit gave no findings"):
        judged(room)


def test_a_file_that_is_passed_over_is_a_broken_gate(make_caged_room: MakeRoom) -> None:
    room = room_on(make_caged_room, {}, {"x.egg/a.py": SHELL, "broken.py": "def ("}, **CAGED)
    assert "x.egg/a.py:2" in judged(room).message
    with pytest.raises(GateBroken, match="did not look at every file"):
        by_bandit(room.workspace.path, ["none.py"], room.sandbox.run)
