"""What a caller can rely on: results arrive unchanged, and usual programs work."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aifactory.errors import SandboxUnusable
from aifactory.sandbox import Limits, Spec
from aifactory.sandbox.confined import Confined
from tests.patience import once
from tests.sandbox.conftest import Run

NASTY = ("$(id)", "`id`", "a\nb", "'", '"', "*", "", "--net=none", "--", "\\", "${HOME}", "é", "%s")


@pytest.mark.parametrize("status", [0, 1, 42, 125, 126, 255])
def test_the_exit_status_arrives(run: Run, status: int) -> None:
    record = run("sh", "-c", f"exit {status}")
    assert (record.exit_code, record.signal, record.killed_by) == (status, None, "none")


def test_death_by_a_signal_is_told_apart(run: Run) -> None:
    record = run("sh", "-c", "kill -9 $$")
    assert (record.exit_code, record.signal) == (None, 9)
    assert not record.ok


def test_a_missing_program_is_no_success(run: Run) -> None:
    assert run("no-such-program").exit_code == 127
    assert run("/etc/hosts").exit_code == 126


def test_arguments_are_never_parsed_again(run: Run) -> None:
    record = run("python", "-c", "import sys; print(ascii(sys.argv[1:]))", *NASTY)
    assert record.output.strip() == ascii(list(NASTY))


def test_a_very_long_command_passes(run: Run) -> None:
    record = run("python", "-c", "import sys; print(len(sys.argv), len(sys.argv[1]))",
                 "x" * 100_000, *map(str, range(500)))  # fmt: skip
    assert record.output.split() == ["502", "100000"]


def test_output_keeps_its_order_and_is_hashed(run: Run) -> None:
    record = run("sh", "-c", "echo one; echo two >&2; echo three")
    assert record.output == "one\ntwo\nthree\n"
    assert record.output_sha256 == hashlib.sha256(b"one\ntwo\nthree\n").hexdigest()


def test_a_sink_gets_both_streams_apart_while_it_runs(cage: Confined, workspace: Path) -> None:
    seen: list[tuple[str, bytes]] = []

    def sink(stream: str, data: bytes) -> None:
        seen.append((stream, data))
        if len(seen) == 2:
            (workspace / "seen").touch()

    command = "echo out; echo err >&2; until test -e seen; do sleep 0.05; done; echo late"
    cage.stream(Spec(("sh", "-c", command), workspace, limits=Limits(seconds=60)), None, sink)
    assert set(seen[:2]) == {("stdout", b"out\n"), ("stderr", b"err\n")}
    assert seen[2:] == [("stdout", b"late\n")]


def test_the_environment_is_built_from_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_KEY", "secret")
    monkeypatch.setenv("BASH_ENV", "/etc/profile")
    record = run("env", MINE="yes")
    names = {line.split("=")[0] for line in record.output.splitlines()}
    assert names == {"HOME", "TMPDIR", "LANG", "USER", "LOGNAME", "SHELL", "PATH", "MINE"}
    assert "MINE" in record.details["environment"]


def test_nothing_of_one_run_reaches_the_next(run: Run) -> None:
    for where in ("~", "/tmp", "/dev/shm", "~/.config"):
        assert run("sh", "-c", f"mkdir -p {where} && touch {where}/left").ok
    record = run("sh", "-c", "ls ~/left /tmp/left /dev/shm/left ~/.config/left 2>/dev/null")
    assert record.output == ""


def test_the_workspace_stays(run: Run, workspace: Path) -> None:
    assert run("sh", "-c", "mkdir -p a/b; echo hello > a/b/c; mv a d").ok
    assert (workspace / "d/b/c").read_text() == "hello\n"
    assert run("cat", "d/b/c").output == "hello\n"


def test_stdin_is_empty_and_there_is_no_terminal(run: Run) -> None:
    assert run("sh", "-c", "cat; if (: < /dev/tty); then exit 1; fi").ok


def test_a_workspace_of_root_or_none_gives_no_result(cage: Confined, workspace: Path) -> None:
    with pytest.raises(SandboxUnusable, match="no workspace"):
        cage.run(Spec(("true",), workspace / "missing"))
    with pytest.raises(SandboxUnusable, match="too much"):
        cage.run(Spec(("true",), workspace, readable=(Path("/"),)))


def test_stop_ends_the_command(cage: Confined, workspace: Path) -> None:
    stop, command = threading.Event(), "touch started; sleep 600"
    spec = Spec(("sh", "-c", command), workspace, limits=Limits(seconds=300))
    with once((workspace / "started").exists, stop.set):
        record = cage.run(spec, stop)
    assert record.killed_by == "shutdown"


LOADS = {
    "pytest": 'printf \'def test_a(tmp_path):\\n    (tmp_path / "x").write_text("y")\\n\' > '
    "test_a.py && python -m pytest -q test_a.py",
    "hypothesis": "python -c 'from hypothesis import given, strategies as st\n"
    "@given(st.integers())\ndef check(n): assert n == n\ncheck()'",
    "processes": "python -c 'import multiprocessing as m\n"
    "with m.Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]'",
    "shared memory": "python -c 'from multiprocessing.shared_memory import SharedMemory as S\n"
    "s = S(create=True, size=4096); s.close(); s.unlink()'",
    "sqlite": 'python -c \'import sqlite3\nc = sqlite3.connect("a.db")\n'
    'c.execute("pragma journal_mode=wal"); c.execute("create table t(a)"); c.commit()\'',
    "loopback": 'python -c \'import socket\ns = socket.create_server(("127.0.0.1", 0))\n'
    'c = socket.create_connection(s.getsockname()); s.accept()[0].sendall(b"x")\n'
    'assert c.recv(1) == b"x"\'',
    "unix sockets": "python -c 'import socket\n"
    's = socket.socket(socket.AF_UNIX); s.bind("sock")\'',
    "threads and subprocesses": "python -c 'import subprocess, threading\n"
    't = threading.Thread(target=subprocess.check_call, args=(["true"],)); t.start(); t.join()\'',
    "python3 is the same": 'test "$(python -c "import sys; print(sys.prefix)")" = '
    '"$(python3 -c "import sys; print(sys.prefix)")"',
    "git": "git init -q . && git config user.email a@b && git config user.name a && "
    "git add . && git commit -q --allow-empty -m x && git log --oneline",
    "bash script": "mkdir scripts && echo 'set -eu; python -V' > scripts/verify.sh && "
    "bash scripts/verify.sh",
    "compiler": "command -v gcc >/dev/null || exit 0; echo 'int main(){return 0;}' > a.c && "
    "gcc a.c -o a && ./a",
    "make": "command -v make >/dev/null || exit 0; "
    "printf 'all:\\n\\techo made\\n' > Makefile && make",
    "node": "command -v node >/dev/null || exit 0; node -e 'console.log(1)'",
}


@pytest.mark.parametrize("load", LOADS)
def test_usual_programs_work(run: Run, load: str) -> None:
    record = run("bash", "-c", LOADS[load], limits=Limits(seconds=60))
    assert record.exit_code == 0, record.output


def test_many_run_at_once_and_each_gets_its_own(cage: Confined, workspace: Path) -> None:
    def spec(number: int) -> Spec:
        return Spec(
            ("sh", "-c", f"touch /tmp/{number}; sleep 0.3; ls /tmp; exit {number}"), workspace
        )

    with ThreadPoolExecutor(4) as pool:
        records = list(pool.map(lambda number: cage.run(spec(number)), range(8)))
    assert [record.exit_code for record in records] == list(range(8))
    assert all(str(n) in record.output.split() for n, record in enumerate(records))
    assert all(len(record.output.split()) <= 3 for record in records)
