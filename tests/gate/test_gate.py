"""The gate as a whole: exactly the tree, in order, red with evidence."""

from __future__ import annotations

import time
from threading import Event, Timer

import pytest

from aifactory import gate
from aifactory.errors import InvalidInput, PolicyDenied, SandboxUnusable, Stopped
from aifactory.gate.fake import FakeCheck, result
from aifactory.model import CommandRecord
from aifactory.sandbox import FakeSandbox
from tests.gate.conftest import MakeRoom

CALCULATOR = {
    "calculator.py": "def add(a, b):\n    return a + b\n",
    "test_calculator.py": "from calculator import add\ndef test_add(): assert add(2, 2) == 4\n",
    "check.py": "import test_calculator\ntest_calculator.test_add()\n",
}
WRONG = CALCULATOR | {"calculator.py": "def add(a, b):\n    return a - b\n"}


def test_green(make_caged_room: MakeRoom) -> None:
    told: list[str] = []
    room = make_caged_room(
        CALCULATOR,
        "python check.py",
        task={"acceptance_commands": ["python -c 'import calculator'"]},
        on_start=told.append,
        on_command=lambda record: told.append(f"exit {record.exit_code}"),
    )
    found = gate.run(room)
    assert found.ok, found.evidence()
    assert found.evidence() == found.message == ""
    assert told == ["python check.py", "exit 0", "python -c 'import calculator'", "exit 0"]
    assert [verdict.check for verdict in found.verdicts] == [
        "postconditions",
        "gate commands",
        "verify script",
        "acceptance commands",
    ]


def test_red_stops_and_says_why(make_caged_room: MakeRoom) -> None:
    task = {"acceptance_commands": ["true"]}
    room = make_caged_room(WRONG, "true", "python check.py", "true", task=task)
    found = gate.run(room)
    assert not found.ok
    assert found.message == "gate commands: `python check.py` ended with exit code 1"
    assert [record.exit_code for record in found.commands] == [0, 1]
    assert found.evidence().startswith(f"{found.message}\n$ python check.py\nTraceback")
    assert found.evidence().endswith("AssertionError")


def test_tests_that_pass_by_preparing_the_tree_do_not_help(make_caged_room: MakeRoom) -> None:
    """One command mends the code under test and plants a package; the next one sees neither."""
    cheat = (
        "import pathlib\n"
        "pathlib.Path('calculator.py').write_text('def add(a, b): return 4\\n')\n"
        "pathlib.Path('test_calculator').mkdir()\n"
        "pathlib.Path('test_calculator/__init__.py').write_text('test_add = print')\n"
    )
    room = make_caged_room(WRONG | {"cheat.py": cheat}, "python cheat.py", "python check.py")
    found = gate.run(room)
    assert [record.exit_code for record in found.commands] == [0, 1]
    assert found.commands[0].details["restored"] == ["calculator.py"]
    assert found.commands[0].details["removed"] == ["test_calculator"]


def test_what_the_owner_keeps_stays(make_caged_room: MakeRoom) -> None:
    room = make_caged_room(
        {"Makefile": "build:\n\tmkdir -p out && echo ok > out/app\n"},
        "make build",
        "test -f out/app",
        keep=("out",),
    )
    assert gate.run(room).ok


def test_what_a_later_command_misses_is_named(make_caged_room: MakeRoom) -> None:
    files = {"make.py": "import os; os.mkdir('out'); os.mkdir('.cache'); os.mkdir('__pycache__')"}
    found = gate.run(make_caged_room(files, "python make.py", "test -d out"))
    assert found.message == "gate commands: `test -d out` ended with exit code 1"
    assert found.evidence().endswith("Note: removed before this command ran: out")


def test_time_is_up(make_caged_room: MakeRoom) -> None:
    """The whole process tree dies, also what hides from signals in a session of its own."""
    code = "import os,signal,time; signal.signal(15, 1); os.fork() or os.setsid(); time.sleep(600)"
    room = make_caged_room({"hang.py": code}, "python hang.py", task={"command_timeout": 1.5})
    started = time.monotonic()
    found = gate.run(room)
    assert time.monotonic() - started < 300
    assert not found.ok
    assert found.commands[0].timed_out
    assert "was stopped after 1.5 s" in found.evidence()


def test_a_stop_is_no_verdict(make_caged_room: MakeRoom) -> None:
    stop = Event()
    room = make_caged_room({"a": "1"}, "sleep 600", stop=stop, timeout=300)
    timer = Timer(0.5, stop.set)
    timer.start()
    with pytest.raises(Stopped):
        gate.run(room)
    timer.join()


def test_no_sandbox_is_no_verdict(make_room: MakeRoom) -> None:
    refusing = FakeSandbox(default=SandboxUnusable("the guard refused"))
    with pytest.raises(SandboxUnusable):
        gate.run(make_room({"a": "1"}, "true", sandbox=refusing))
    denied = FakeSandbox(default=CommandRecord(argv=("true",), denied="not in a cage"))
    with pytest.raises(SandboxUnusable, match="not in a cage"):
        gate.run(make_room({"a": "1"}, "true", sandbox=denied))


def test_a_command_that_cannot_be_split(make_room: MakeRoom) -> None:
    for command in ("echo 'half", "", "   "):
        with pytest.raises(InvalidInput):
            gate.run(make_room({"a": "1"}, command))


def test_programs_of_a_task_are_the_owners_choice(make_room: MakeRoom) -> None:
    task = {"acceptance_commands": ["python -m pytest", "curl example.org"]}
    sandbox = FakeSandbox()
    room = make_room({"a": "1"}, "curl", task=task, allowed=("python",), sandbox=sandbox)
    with pytest.raises(PolicyDenied, match="curl"):
        gate.run(room)
    assert [spec.argv for spec in sandbox.ran] == [("curl",)]  # the owner's own command ran
    assert gate.run(make_room({"a": "2"}, task=task)).ok


def test_nothing_to_run_is_green_and_says_so(make_room: MakeRoom) -> None:
    found = gate.run(make_room({"a": "1"}))
    assert found.ok
    assert found.commands == ()
    assert {verdict.message for verdict in found.verdicts} == {"met", "nothing to run"}


def test_checks_are_a_choice(make_room: MakeRoom) -> None:
    checks = (FakeCheck(name="one"), FakeCheck(ok=False, name="two"), FakeCheck(name="three"))
    found = gate.run(make_room({"a": "1"}), checks)
    assert [(verdict.check, verdict.ok) for verdict in found.verdicts] == [
        ("one", True),
        ("two", False),
    ]
    assert result(*checks).red == found.red


def test_verify_script_is_the_gate_and_finds_the_interpreter(make_caged_room: MakeRoom) -> None:
    script = "set -euo pipefail\npython -m compileall -q .\npython -m pytest -q\n"
    found = gate.run(make_caged_room(CALCULATOR | {"scripts/verify.sh": script}))
    assert found.ok, found.evidence()
    assert found.commands[0].argv == ("bash", "scripts/verify.sh")
    assert "1 passed" in found.commands[0].output
    found = gate.run(make_caged_room({"broken.py": "def"}))
    assert found.message == "verify script: `bash scripts/verify.sh` ended with exit code 1"
    assert "SyntaxError" in found.evidence()
