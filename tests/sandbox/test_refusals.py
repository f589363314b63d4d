"""A cage that is not whole gives no result: options taken out, containers, terminals."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aifactory.errors import SandboxUnusable
from aifactory.sandbox import Limits, Spec, confined, firejail, guarded
from aifactory.sandbox.cage import Cage
from aifactory.sandbox.confined import BUBBLEWRAP, FIREJAIL, Confined
from aifactory.sandbox.guarded import launcher_plan
from tests.sandbox.lab import ATTEMPTS, PYTHON, ROOT, Lab, laboratory
from tests.sandbox.test_bounds import OURS, alive

Line = Callable[[Cage, int], list[str]]
# What to take out of the line, and how many words it has.
FIREJAIL_OPTIONS = {
    "--net=none": 1,
    "--caps.drop=all": 1,
    "--nonewprivs": 1,
    "--ipc-namespace": 1,
    "--private-dev": 1,
    "--blacklist=/sys": 1,
    "--read-only=/": 1,
    "--seccomp=io_uring_setup,io_uring_enter,io_uring_register": 1,
    "--seccomp.block-secondary": 1,
    "--protocol=unix,inet,inet6": 1,
    "--restrict-namespaces": 1,
    "--noroot": 1,
    "--nogroups": 1,
}
BUBBLEWRAP_OPTIONS = {
    "--unshare-all": 1,
    "--die-with-parent": 1,
    "--new-session": 1,
    "--clearenv": 1,
    "--cap-drop": 2,
    "--disable-userns": 1,
    "--remount-ro": 2,
    "--proc": 2,
}


def without(line: Line, option: str, words: int) -> Line:
    """The backend's line with every occurrence of an option taken out."""

    def shortened(cage: Cage, status: int) -> list[str]:
        found = line(cage, status)
        while option in found:
            at = found.index(option)
            del found[at : at + words]
        return found

    return shortened


def mutants(backend: Confined, options: dict[str, int]) -> list[Confined]:
    return [
        dataclasses.replace(
            backend, name=f"{backend.name} {option}", line=without(backend.line, option, words)
        )
        for option, words in options.items()
    ]


MUTANTS = mutants(FIREJAIL, FIREJAIL_OPTIONS) + mutants(BUBBLEWRAP, BUBBLEWRAP_OPTIONS)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with laboratory() as planted:
        yield planted


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_an_option_taken_out_is_noticed_or_covered(mutant: Confined, lab: Lab) -> None:
    """Either the guard refuses, or another wall still stops every attempt: never an escape."""
    try:
        record = mutant.run(lab.spec(PYTHON, str(ATTEMPTS / "run.py"), json.dumps(lab.facts)))
    except SandboxUnusable:
        return
    got = json.loads(record.output.splitlines()[-1])
    assert {name: evidence for name, evidence in got.items() if evidence} == {}


REFUSED = {
    "--net=none", "--caps.drop=all", "--ipc-namespace", "--private-dev",
    "--read-only=/", "--blacklist=/sys", "--unshare-all", "--remount-ro", "--proc",
}  # fmt: skip


@pytest.mark.parametrize(
    "mutant", [m for m in MUTANTS if m.name.split()[1] in REFUSED], ids=lambda mutant: mutant.name
)
def test_the_guard_sees_what_a_backend_did_not_do(mutant: Confined, workspace: Path) -> None:
    with pytest.raises(SandboxUnusable):
        mutant.run(Spec(("true",), workspace))


@pytest.mark.parametrize("wall", ["restrict_calls(plan)", "limit(plan)"])
def test_a_wall_of_the_guards_taken_out_is_noticed(
    wall: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bubblewrap brings neither a filter nor limits, so that some attempt must succeed."""
    source = guarded._source
    monkeypatch.setattr(guarded, "_source", lambda name: source(name).replace(f"    {wall}\n", ""))
    guarded._bundle.cache_clear()
    try:
        record = BUBBLEWRAP.run(lab.spec(PYTHON, str(ATTEMPTS / "run.py"), json.dumps(lab.facts)))
    finally:
        guarded._bundle.cache_clear()
    assert any(json.loads(record.output.splitlines()[-1]).values())


def test_a_guard_that_can_be_killed_takes_all_along(
    cage: Confined, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a kernel whose Landlock does not keep signals back."""
    source = guarded._source

    def unlocked(name: str) -> str:
        return source(name).replace("    restrict_paths(plan)\n", "")

    monkeypatch.setattr(guarded, "_source", unlocked)
    monkeypatch.setattr(firejail, "guard_can_be_killed", lambda: True)
    guarded._bundle.cache_clear()
    try:
        length = f"9875{OURS}"
        script = f"(setsid sleep {length} &); kill -9 $PPID; sleep {length}"
        record = cage.run(Spec(("sh", "-c", script), workspace, limits=Limits(seconds=60)))
    finally:
        guarded._bundle.cache_clear()
    assert (record.exit_code, record.signal, record.killed_by) == (None, 9, "none")
    assert alive(length) == 0


def test_a_daemons_environment_does_not_show_through(lab: Lab) -> None:
    careless = dataclasses.replace(BUBBLEWRAP, surroundings=lambda: dict(os.environ))
    record = careless.run(lab.spec(PYTHON, str(ATTEMPTS / "run.py"), json.dumps(lab.facts)))
    assert not any(json.loads(record.output.splitlines()[-1]).values())


@pytest.mark.skipif(not ROOT, reason="only root has a launcher that covers directories")
@pytest.mark.parametrize("top", ["/opt", "/usr/local", "/srv"])
def test_a_cover_left_out_is_refused(
    top: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def uncovered(*arguments: Any) -> dict[str, Any]:
        made = launcher_plan(*arguments)
        return {**made, "covers": [cover for cover in made["covers"] if cover[0] != top]}

    monkeypatch.setattr(confined, "launcher_plan", uncovered)
    with pytest.raises(SandboxUnusable):
        FIREJAIL.run(Spec(("true",), workspace))


def test_no_backend_at_all_is_refused(workspace: Path) -> None:
    bare = dataclasses.replace(BUBBLEWRAP, line=lambda cage, status: ["/usr/bin/env"])
    with pytest.raises(SandboxUnusable, match="the guard refused"):
        bare.run(Spec(("true",), workspace))


def test_a_backend_that_ends_well_without_running_anything_is_refused(workspace: Path) -> None:
    silent = dataclasses.replace(BUBBLEWRAP, line=lambda cage, status: ["/bin/true"])
    with pytest.raises(SandboxUnusable, match="before the guard was ready"):
        silent.run(Spec(("true",), workspace))


RUN_ONCE = """
import dataclasses, sys
from pathlib import Path
from aifactory.errors import SandboxUnusable
from aifactory.sandbox.confined import BACKENDS
from aifactory.sandbox import Limits, Spec, confined, firejail, guarded
from aifactory.sandbox.guarded import launcher_plan
name, careless, workspace, *argv = sys.argv[1:]
backend = next(backend for backend in BACKENDS if backend.name == name)
if careless == "careless":
    backend = dataclasses.replace(backend, objection=str, surroundings=dict)
try:
    print("result", backend.run(Spec(tuple(argv), Path(workspace))).output)
except SandboxUnusable as error:
    print("refused", error)
"""
CONTAINER = ("unshare", "-p", "-f", "-m", "--mount-proc")


@pytest.mark.skipif(not ROOT, reason="only root can make a container's pid namespace here")
@pytest.mark.parametrize("how", ["careful", "careless"])
def test_firejail_is_refused_in_a_container(how: str, workspace: Path) -> None:
    """There it runs the command unconfined and ends with 0 (study, section 2): we refuse first,
    and were we careless, the guard would."""
    once = [sys.executable, "-c", RUN_ONCE, "firejail", how, str(workspace), "true"]
    said = subprocess.run([*CONTAINER, *once], capture_output=True, text=True, check=True).stdout
    assert said.startswith("refused")
    assert ("the guard refused" in said) is (how == "careless")


@pytest.mark.skipif(not ROOT, reason="only root can make a container's pid namespace here")
def test_no_cage_that_nobody_named_is_used_in_a_container(workspace: Path) -> None:
    door = [sys.executable, "-m", "aifactory", "sandbox", "exec", str(workspace), "--", "echo"]
    inside = subprocess.run([*CONTAINER, *door, "ran"], capture_output=True, text=True, check=False)
    assert (inside.returncode, inside.stdout) == (5, "")
    assert "container" in inside.stderr and "backend" in inside.stderr
    outside = subprocess.run([*door, "ran"], capture_output=True, text=True, check=False)
    assert (outside.returncode, outside.stdout) == (0, "ran\n")


@pytest.mark.skipif(not ROOT, reason="only root can make a container's pid namespace here")
def test_bubblewrap_confines_in_a_container(workspace: Path) -> None:
    probe = ["readlink", "/proc/self/ns/net"]
    once = [sys.executable, "-c", RUN_ONCE, "bubblewrap", "careful", str(workspace), *probe]
    said = subprocess.run([*CONTAINER, *once], capture_output=True, text=True, check=True).stdout
    assert said.startswith("result net:")
    assert str(Path("/proc/self/ns/net").readlink()) not in said


TYPE = """
import fcntl
try:
    fcntl.ioctl(open("/dev/tty"), 0x5412, b"x")  # TIOCSTI
    print("typed")
except OSError as error:
    print("kept", error)
"""


@pytest.mark.parametrize("name", ["firejail", "bubblewrap"])
def test_nothing_is_typed_into_our_terminal(name: str, workspace: Path) -> None:
    """The control types into a terminal of its own; the cage is started from such a terminal."""
    caged = [sys.executable, "-c", RUN_ONCE, name, "careful", str(workspace), PYTHON, "-c", TYPE]
    assert "typed" in in_terminal([PYTHON, "-c", TYPE])
    assert "kept" in in_terminal(caged)


def in_terminal(line: list[str]) -> str:
    """What a program says that has a controlling terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(line[0], line)
    said = bytearray()
    while data := _read(terminal):
        said += data
    os.waitpid(pid, 0)
    os.close(terminal)
    return said.decode(errors="replace")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1000)
    except OSError:  # the other side is closed
        return b""
