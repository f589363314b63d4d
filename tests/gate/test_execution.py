"""One command: what it gets, and how its end is told."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory.gate.base import last_lines
from aifactory.gate.execution import evidence, execute, outcome
from aifactory.model import CommandRecord
from aifactory.sandbox import FakeSandbox, Limits, Spec, choose
from aifactory.sandbox.confined import BACKENDS, Confined
from tests.gate.conftest import MakeRoom

ECHO = "import os, sys; print(sys.prefix, os.environ['PYTHONDONTWRITEBYTECODE'])"


def spec_of(make_room: MakeRoom, command: str, **parts: object) -> Spec:
    sandbox = FakeSandbox()
    execute(make_room({"a": "1"}, sandbox=sandbox, **parts), command)
    return sandbox.ran[0]


@pytest.mark.parametrize("name", ["python", "python3"])
def test_python_is_the_projects(make_room: MakeRoom, name: str) -> None:
    spec = spec_of(make_room, f"{name} -m pytest 'a b'", python=Path(sys.executable))
    assert spec.argv == (sys.executable, "-m", "pytest", "a b")
    assert spec.environment["PATH"].split(":")[0] == str(Path(sys.executable).parent)
    assert spec.environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "PYTHONHASHSEED" not in spec.environment


def test_other_programs_are_left_alone(make_room: MakeRoom) -> None:
    assert spec_of(make_room, "python3.99 -V").argv == ("python3.99", "-V")
    assert spec_of(make_room, "echo $HOME `id` *").argv == ("echo", "$HOME", "`id`", "*")


def test_time_of_the_task_goes_first(make_room: MakeRoom) -> None:
    limits = Limits(memory_bytes=1 << 30)
    spec = spec_of(make_room, "true", timeout=7, limits=limits)
    held = spec.limits.memory_bytes - (1 << 30)
    assert spec.limits == Limits(seconds=7, memory_bytes=(1 << 30) + held)
    assert held in (0, limits.disk_bytes)  # a layer is memory, which has room for it
    assert spec_of(make_room, "true", timeout=7, task={"command_timeout": 3}).limits.seconds == 3


def test_the_interpreter_in_the_cage(make_caged_room: MakeRoom) -> None:
    room = make_caged_room({"echo.py": ECHO, "run.sh": "python echo.py; python3 echo.py\n"})
    room.workspace.checkout(room.repository, room.tree)
    said = execute(room, "bash run.sh").output.splitlines()
    assert {line.split()[1] for line in said} == {"1"}
    assert {line.split()[0] for line in said} == {sys.prefix}


def test_an_editable_install_is_the_tree_under_test(make_caged_room: MakeRoom) -> None:
    """The environment names the checkout; what it imports there is the proposal, not the user's."""
    files = {"src/pkg.py": "VALUE = 'proposed'\n", ".gitignore": ".venv\n"}
    room = make_caged_room(files, sandbox=choose("bubblewrap"))
    root = room.repository.root
    (root / "src/pkg.py").write_text("VALUE = 'edited by the user'\n")
    room = replace(room, python=environment(root / ".venv", installed=root / "src"))
    room.workspace.checkout(room.repository, room.tree)
    record = execute(room, "python -c 'import pkg; print(pkg.VALUE, pkg.__file__)'")
    assert record.output.split() == ["proposed", f"{root}/src/pkg.py"]
    assert "removed" not in record.details


def test_without_one_the_tree_stands_alone(make_caged_room: MakeRoom) -> None:
    """A command that walks everything meets no environment of the checkout."""
    room = make_caged_room({"a.py": "1", ".gitignore": ".venv\n"})
    room = replace(room, python=environment(room.repository.root / ".venv"))
    room.workspace.checkout(room.repository, room.tree)
    found = execute(room, "find . -mindepth 1").output.split()
    assert sorted(found) == ["./.gitignore", "./README.md", "./a.py"]
    assert execute(room, "python -m compileall -q .").ok


def environment(place: Path, installed: Path | None = None) -> Path:
    venv.create(place, symlinks=True)
    if installed:
        site = next(place.glob("lib/python*/site-packages"))
        (site / "_package.pth").write_text(f"{installed}\n")
    return place / "bin/python"


def test_no_checkout_path_that_a_cage_cannot_take(make_room: MakeRoom, tmp_path: Path) -> None:
    sandbox = MovingSandbox()
    for number, root in enumerate(["/repo", "/usr/src/repo", "/home/josé/repo"]):
        python = environment(tmp_path / str(number), installed=Path(root))
        room = make_room({"a": root}, sandbox=sandbox, python=python)
        execute(replace(room, repository=replace(room.repository, root=Path(root))), "true")
        assert sandbox.ran[-1].mounted_at is None
    room = make_room({"a": "2"}, sandbox=sandbox)
    execute(room, "true")
    assert sandbox.ran[-1].mounted_at is None
    python = environment(tmp_path / "own", installed=room.repository.root)
    execute(replace(room, python=python), "true")
    assert sandbox.ran[-1].mounted_at == room.repository.root


class MovingSandbox(FakeSandbox):
    can_move = True


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("no-such-program --version", "no-such-program"),
        ("./run.sh", None),
        ("scripts/check", None),
        ("bash not-there.sh", None),
        ("bash inner.sh", None),
    ],
)
def test_missing_programs(make_caged_room: MakeRoom, command: str, missing: str | None) -> None:
    """What the machine lacks is told apart from what the change should have brought."""
    room = make_caged_room({"inner.sh": "no-such-program\n"})
    room.workspace.checkout(room.repository, room.tree)
    record = execute(room, command)
    assert record.exit_code in (126, 127)
    assert record.details.get("missing_program") == missing


def test_evidence_is_bounded_and_ends_with_the_end() -> None:
    output = "".join(f"line {number}\n" for number in range(100_000)) + "the last word"
    record = CommandRecord(argv=("x",), exit_code=1, output=output)
    text = evidence("x", record)
    assert len(text) < 4200
    assert text.startswith("$ x\n[...]\nline ")
    assert text.endswith("line 99999\nthe last word")


def test_evidence_of_one_endless_line() -> None:
    assert last_lines("x" * 10_000) == "[...]\n" + "x" * 4000
    assert last_lines("short\n") == "short"
    assert "(no output)" in evidence("x", CommandRecord(argv=("x",)))


def test_a_shell_operator_is_pointed_out() -> None:
    record = CommandRecord(argv=("x",), exit_code=1)
    assert "`&&`" in evidence("make && make test", record)
    assert "Note" not in evidence("bash -c 'make && make test'", record)


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ({"exit_code": 3}, "ended with exit code 3"),
        ({"signal": 11}, "was killed by signal 11"),
        ({"timed_out": True, "killed_by": "deadline", "signal": 9}, "was stopped after 5 s"),
        ({"killed_by": "memory", "signal": 9}, "more memory"),
        ({"killed_by": "output"}, "output"),
        ({"killed_by": "disk"}, "disk"),
        ({"exit_code": 127, "details": {"missing_program": "x"}}, "no such program"),
    ],
)
def test_endings_in_words(ending: dict[str, object], words: str) -> None:
    assert words in outcome(CommandRecord.model_validate({"argv": ("x",), **ending}), 5)


FILL = """
import os, sys
made = 0
try:
    while True:
        with open(f"{sys.argv[1]}-{made}", "wb") as file:
            file.write(b"x" * int(sys.argv[2]))
        made += 1
except OSError as error:
    print(error.errno, made)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay a filesystem over a workspace")
@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
@pytest.mark.parametrize(("size", "most"), [(1 << 20, 8), (0, 100)])
def test_the_kernel_holds_what_a_command_adds(
    make_room: MakeRoom, backend: Confined, size: int, most: int
) -> None:
    """In bytes and in files; and nothing of it is there afterwards."""
    limits = Limits(disk_bytes=8 << 20, disk_files=100)
    room = make_room({"src/a.txt": "a", "b.txt": "b"}, sandbox=backend, limits=limits)
    room.workspace.checkout(room.repository, room.tree)
    record = execute(room, shlex.join(["python", "-c", FILL, "new", str(size)]))
    number, made = map(int, record.output.split())
    assert (number, made <= most) == (errno.ENOSPC, True)
    assert record.details["limits"]["disk"] == "filesystem"
    assert record.details["removed"][0] == "new-0"
    assert sorted(path.name for path in room.workspace.path.iterdir()) == [
        *("README.md", "b.txt", "src")
    ]
    moved = "mv src lib && echo c >> b.txt && rm README.md && cat lib/a.txt b.txt"
    record = execute(room, shlex.join(["sh", "-c", moved]))
    assert (record.output, record.exit_code) == ("abc\n", 0)
    assert record.details["restored"] == ["README.md", "b.txt", "src/a.txt"]
    assert (room.workspace.path / "b.txt").read_text() == "b"
    assert room.workspace.restore() == ([], [])
    assert str(room.workspace.path) not in Path("/proc/self/mountinfo").read_text()
