"""Bombs of every kind are contained, and nothing survives: not the end, the deadline, our death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aifactory.sandbox import Limits
from aifactory.sandbox.confined import Confined
from tests.patience import until
from tests.sandbox.conftest import Run

MIB = 1 << 20
SMALL = Limits(
    seconds=60,
    memory_bytes=256 * MIB,
    processes=60,
    file_bytes=64 * MIB,
    disk_bytes=64 * MIB,
    disk_files=2000,
    temporary_bytes=64 * MIB,
    output_bytes=1000,
    output_cap=1_000_000,
)
OURS = f".{os.getpid()}"  # no other run of the tests has sleepers of the same length
DAEMONS = "for i in 1 2 3; do (setsid sh -c \"trap '' TERM INT HUP; sleep {0}\" &); done; "
FORK = """
import os, time
for made in range(1000):
    try:
        if os.fork() == 0: time.sleep(100); os._exit(0)
    except OSError: break
print(made)
"""
# Each of the bombs stays once it has what it wants, longer than any look at it takes.
HOLD = """
import os, select, time
hold, holding = os.pipe()
for _ in range(4):
    if os.fork() == 0:
        held = b'x' * (150 << 20); os.write(holding, b'x'); time.sleep(100); os._exit(0)
count = 0
while count < 4 or time.monotonic() < until:
    assert os.waitpid(-1, os.WNOHANG) == (0, 0)
    if select.select([hold], [], [], 0.05)[0]: count += len(os.read(hold, 1))
    if count < 4: until = time.monotonic() + 10
print('all hold')
"""
MANY = "for i in range(100): open(f'f{i}', 'wb').write(b'x' * (8 << 20))\nprint('written')"
FILES = "for i in range(40000): open(f'f{i}', 'w').close()\nprint('made')"
UNLINKED = """
import os
kept = []
for i in range(100):
    kept.append(open('f', 'wb')); os.unlink('f'); kept[-1].write(b'x' * (8 << 20))
print('written')
"""
SEGMENTS = """
import ctypes, time
c = ctypes.CDLL(None); c.shmat.restype = ctypes.c_void_p
for i in range(20):
    ctypes.memset(c.shmat(c.shmget(0, 32 << 20, 0o600), None, 0), 1, 32 << 20)
time.sleep(10); print('held')
"""
HIDDEN = """
import os
os.mkdir('shut'); os.chmod('shut', 0o300)
for i in range(100): open(f'shut/f{i}', 'wb').write(b'x' * (8 << 20))
print('written')
"""
DEEP = """
import os
for i in range(250): os.mkdir('d' * 20); os.chdir('d' * 20)
for i in range(100): open(f'f{i}', 'wb').write(b'x' * (8 << 20))
print('written')
"""
ON_THE_WAY = """
import array, os, socket
one, other = socket.socketpair()
for i in range(100):
    file = os.open('f', os.O_RDWR | os.O_CREAT); os.unlink('f'); os.write(file, b'x' * (8 << 20))
    rights = array.array('i', [file])
    one.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]); os.close(file)
print('written')
"""
MAPPED = """
import ctypes, os
libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
for i in range(100):
    file = os.open('f', os.O_RDWR | os.O_CREAT); os.unlink('f'); os.write(file, b'x' * (8 << 20))
    assert libc.mmap(None, ctypes.c_size_t(8 << 20), 1, 1, file, ctypes.c_long(0)); os.close(file)
print('written')
"""
SHARED = """
import mmap, time
held = mmap.mmap(-1, 400 << 20)
for at in range(0, 400 << 20, 4096): held[at] = 1
time.sleep(10); print('held')
"""
TEMPORARY_FILES = """
import os, time
for i in range(60000): os.mkdir(f'/tmp/{i}')
time.sleep(10); print('made')
"""
TEMPORARY = """
for place in ('/tmp', '/dev/shm'):
    for i in range(10):
        open(f'{place}/f{i}', 'wb').write(b'x' * (32 << 20))
print('written')
"""


def test_a_fork_bomb_is_stopped(run: Run) -> None:
    record = run("python", "-c", FORK, limits=SMALL)
    assert int(record.output) <= SMALL.processes


@pytest.mark.parametrize(
    ("bomb", "claim"),
    [
        ("x = b'x' * (400 << 20); print('held')", "held"),
        (HOLD, "all hold"),
        (TEMPORARY, "written"),
        (SEGMENTS, "held"),
        (MANY, "written"),
        (FILES, "made"),
        (UNLINKED, "written"),
        (HIDDEN, "written"),
        (DEEP, "written"),
        (ON_THE_WAY, "written"),
        (MAPPED, "written"),
        (SHARED, "held"),
        (TEMPORARY_FILES, "made"),
        ("open('f', 'wb').write(b'x' * (100 << 20)); print('written')", "written"),
        ("open('f', 'wb').truncate(10 << 30); print('written')", "written"),
    ],
    ids=[
        "memory",
        "spread",
        "temporary",
        "segments",
        "disk",
        "files",
        "unlinked",
        "hidden",
        "deep",
        "on the way",
        "mapped",
        "shared",
        "temporary files",
        "file",
        "sparse",
    ],
)
def test_a_bomb_does_not_reach_its_end(run: Run, bomb: str, claim: str) -> None:
    record = run("python", "-c", bomb, limits=SMALL)
    assert claim not in record.output
    assert not record.ok
    assert not record.timed_out, "nothing but the time stopped it"


def test_what_stays_within_the_bounds_goes_on(run: Run) -> None:
    """The guard stops everything to count, more than once here, and lets it go on."""
    script = "for i in range(48): open(f'f{i}', 'wb').write(b'x' * (1 << 20))\nprint('written')"
    record = run("bash", "-c", f'python -c "{script}" | cat; wait', limits=SMALL)
    assert (record.exit_code, record.output) == (0, "written\n")


def test_memory_that_is_shared_counts_once(run: Run) -> None:
    script = """
import mmap, os, time
held = mmap.mmap(-1, 60 << 20)
for at in range(0, 60 << 20, 4096): held[at] = 1
for _ in range(8):
    if os.fork() == 0: sum(held[at] for at in range(0, 60 << 20, 4096)); time.sleep(1); os._exit(0)
for _ in range(8): os.wait()
print('held')
"""
    assert run("python", "-c", script, limits=SMALL).output == "held\n"


def test_disk_and_memory_are_named_as_what_killed(run: Run) -> None:
    assert run("python", "-c", UNLINKED, limits=SMALL).killed_by == "disk"
    assert run("python", "-c", "x = b'x' * (400 << 20)", limits=SMALL).killed_by == "memory"


def test_endless_output_is_cut_and_only_its_ends_are_kept(run: Run) -> None:
    record = run("sh", "-c", "echo first; yes", limits=SMALL)
    assert record.killed_by == "output"
    assert record.output.startswith("first\n")
    assert len(record.output) < 2 * SMALL.output_bytes
    assert record.output_bytes < 20 * SMALL.output_cap


def test_a_deadline_ends_all(run: Run) -> None:
    length = f"9871{OURS}"
    record = run("sh", "-c", DAEMONS.format(length) + f"sleep {length}", limits=Limits(seconds=1))
    assert (record.timed_out, record.killed_by) == (True, "deadline")
    assert alive(length) == 0


def test_nothing_outlives_the_command(run: Run) -> None:
    length = f"9872{OURS}"
    record = run("sh", "-c", DAEMONS.format(length) + "exit 3")
    assert record.exit_code == 3
    assert alive(length) == 0


DAEMON = """
import sys
from pathlib import Path
from aifactory.sandbox import Spec, choose
print(choose({name!r}).run(Spec(("sh", "-c", {command!r}), Path({workspace!r}))))
"""


def test_nothing_outlives_the_daemon(cage: Confined, workspace: Path) -> None:
    length = f"9873{OURS}"
    command = DAEMONS.format(length) + f"touch started; trap '' TERM; sleep {length}"
    script = DAEMON.format(name=cage.name, command=command, workspace=str(workspace))
    with subprocess.Popen([sys.executable, "-c", script]) as daemon:
        until(lambda: (workspace / "started").exists() and alive(length) > 0)
        daemon.send_signal(signal.SIGKILL)
    until(lambda: alive(length) == 0)


def alive(argument: str) -> int:
    """How many processes of the machine sleep for that long."""
    return len(sleepers(argument))


def sleepers(argument: str) -> list[int]:
    """The processes of the machine that sleep for that long."""
    lines = Path("/proc").glob("[0-9]*/cmdline")
    return [int(path.parent.name) for path in lines if _is_sleep(path, argument)]


def _is_sleep(path: Path, argument: str) -> bool:
    try:
        return path.read_bytes().split(b"\0")[:2] == [b"sleep", argument.encode()]
    except OSError:
        return False
