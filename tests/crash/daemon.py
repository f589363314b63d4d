"""The daemon itself in a checkout with a user's work in it, to be crashed at every syscall.

    python daemon.py setup | run | recover | check   [--gate] [--plain]

Works in the current directory: the repository is `repo` in it, the workspaces are `cache`. `run`
is one `python -m aifactory.auto_agent --once`, whose log on stdout tells what it acknowledged;
`recover` is `aifactory recover`; `check` exits 0 when the state is before or after each task, lets
another `run` finish, and sees that nothing is missing and nothing was done twice. Usable by hand,
by the tests beside it, and as the commands of a tool that crashes programs (docs/crash.md).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from driver import plain, write

ROOT = str(Path(__file__).resolve().parents[2])
TASKS = ("t1", "t2")
COMMITTED = {
    "a.txt": "a\n",
    "gone.txt": "g\n",
    "tool.sh": "#!/bin/sh\n",
    "deep/only/one.txt": "1\n",
    "dirty.txt": "committed\n",
    "staged.txt": "committed\n",
}
USERS = {
    "dirty.txt": "the user's edit, not committed\n",
    "staged.txt": "the user's edit, staged\n",
    "new-by-user.txt": "untracked\n",
}
STATUS = [" M dirty.txt", "?? new-by-user.txt", "?? tasks/", "M  staged.txt"]
PATCHES = {
    "t1": """\
diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1 +1 @@
-a
+a by t1
diff --git a/deep/only/one.txt b/deep/only/one.txt
deleted file mode 100644
--- a/deep/only/one.txt
+++ /dev/null
@@ -1 +0,0 @@
-1
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-g
diff --git a/src/new.py b/src/new.py
new file mode 100644
--- /dev/null
+++ b/src/new.py
@@ -0,0 +1 @@
+n
diff --git a/tool.sh b/tool.sh
old mode 100644
new mode 100755
""",
    "t2": """\
diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1 +1 @@
-a by t1
+a by t2
diff --git a/lib/x/y.py b/lib/x/y.py
new file mode 100644
--- /dev/null
+++ b/lib/x/y.py
@@ -0,0 +1 @@
+x
""",
}
AFTER: dict[str, Mapping[str, tuple[str, int] | None]] = {
    "t1": {
        "a.txt": ("a by t1\n", 0o644),
        "deep/only/one.txt": None,
        "gone.txt": None,
        "src/new.py": ("n\n", 0o644),
        "tool.sh": ("#!/bin/sh\n", 0o755),
    },
    "t2": {"a.txt": ("a by t2\n", 0o644), "lib/x/y.py": ("x\n", 0o644)},
}


def set_up(gate: bool) -> None:
    Path("repo").mkdir()
    Path("cache").mkdir()
    os.chdir("repo")
    plain("init", "-q", "-b", "main", ".")
    plain("config", "user.name", "Ada")
    plain("config", "user.email", "ada@example.org")
    answers = {t: [{"text": f"```diff\n{PATCHES[t]}```\n"}] for t in TASKS}
    settings = '[model]\ndefault = "scripted/answers.json"\n'
    settings += '[gate]\nsecurity = "off"\n'  # the cage is a fake in some tests, and says nothing
    settings += 'commands = ["test -f dirty.txt"]\n' if gate else ""
    write(COMMITTED | {"answers.json": json.dumps({"tasks": answers}), "aifactory.toml": settings})
    plain("add", "-A")
    plain("commit", "-qm", "base")
    write(USERS)
    plain("add", "staged.txt")
    first = {"task_id": "t1", "description": "Do t1", "files": sorted(AFTER["t1"])}
    second = {"task_id": "t2", "description": "Do t2", "files": sorted(AFTER["t2"])}
    second["depends_on"] = ["t1"]
    write({"tasks/t1.json": json.dumps(first), "tasks/t2.json": json.dumps(second)})
    os.sync()


def started(*arguments: str) -> list[str]:
    """The command that starts a part of the program on the repository here."""
    os.environ["AIFACTORY_CACHE_DIR"] = str(Path("cache").resolve())
    os.environ["PYTHONPATH"] = ROOT
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    return [sys.executable, "-m", *arguments, "--repo", "repo"]


def run() -> None:
    os.dup2(1, 2)
    command = started("aifactory.auto_agent", "--once", "--log-format", "json")
    os.execv(command[0], command)


def recover() -> None:
    command = started("aifactory", "recover")
    os.execv(command[0], command)


def check() -> None:
    said = os.environ.get("CRASH_STDOUT")
    log = Path(said).read_text(errors="replace") if said else ""
    again = started("aifactory.auto_agent", "--once", "--log-format", "json")
    top = Path.cwd()
    os.chdir("repo")
    landed = verify(acknowledged(log))
    os.chdir(top)
    done = subprocess.run(again, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"a second run ended with {done.returncode}: {done.stderr[-1500:]}"
    os.chdir("repo")
    assert verify(list(TASKS)) == list(TASKS)
    once()
    sys.stdout.write(f"landed={len(landed)}\n")


def acknowledged(log: str) -> list[str]:
    """The tasks that a log calls landed."""
    lines = [line for line in log.splitlines() if '"task.landed"' in line]
    return [json.loads(line)["task"] for line in lines if line.endswith("}")]


def in_target() -> list[str]:
    form = "--format=%(trailers:key=Aifactory-Task,valueonly)"
    return plain("log", "--reverse", form, "main").split()


def verify(told: list[str]) -> list[str]:
    """The state is before or after each task, and what is the user's is as it was."""
    damage = plain("fsck", "--strict", "--no-dangling", "--no-progress")
    assert not damage, damage
    locks = [path for path in Path(".git").rglob("*.lock") if "aifactory" not in path.parts]
    assert not locks, locks
    left = [*Path(".git/aifactory").glob("stage/*"), *Path(".git/aifactory").glob("kept/*")]
    assert not left, left
    tasks = in_target()
    assert tasks == list(TASKS)[: len(tasks)], f"main holds {tasks}"
    assert set(told) <= set(tasks), f"acknowledged {told}, main holds {tasks}"
    for path, text in USERS.items():
        assert Path(path).read_text() == text, f"the user's {path} was changed"
    status = sorted(
        line for line in plain("status", "--porcelain").splitlines() if "shared/" not in line
    )
    assert status == sorted(STATUS), f"status {status}"
    on_disk(tasks)
    plain("diff", "--quiet", "--cached", "main", "--", ":!staged.txt")
    return tasks


def on_disk(tasks: list[str]) -> None:
    expected: dict[str, tuple[str, int] | None] = {
        path: (text, 0o644) for path, text in COMMITTED.items() if path not in USERS
    }
    for task in tasks:
        expected |= AFTER[task]
    for path, wanted in expected.items():
        found = Path(path)
        assert found.exists() == (wanted is not None), path
        if wanted is not None:
            assert (found.read_text(), found.stat().st_mode & 0o777) == wanted, path


def once() -> None:
    """The ledger says of every task that it is done, by the commit in the target, asked once for
    each attempt."""
    from aifactory import git, journal
    from aifactory.ledger import Ledger

    repository = git.discover(Path.cwd())
    ledger = Ledger(repository)
    form = "--format=%(trailers:key=Aifactory-Task,valueonly,separator=)=%H"
    commits = dict(line.split("=") for line in plain("log", form, "main").splitlines())
    for record in ledger.records():
        assert record.state == "done", f"{record.task_id} is {record.state}"
        assert record.commit == commits[record.task_id], f"{record.task_id}: {record.commit}"
        events = (ledger.artifact(record.task_id, "events.jsonl") or b"").splitlines()
        told = [json.loads(line) for line in events]
        calls = Counter(one["attempt"] for one in told if one["name"] == "model.called")
        assert max(calls.values()) == 1, f"{record.task_id} asked {calls}"
        landings = [one for one in told if one["name"] == "task.landed"]
        assert len(landings) == 1, f"{record.task_id} landed {len(landings)} times"
    assert {record.task_id for record in ledger.records()} == set(TASKS)
    assert journal.read(Path(".git/aifactory/journal")).pending is None
    repository.close()


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("command", choices=("setup", "run", "recover", "check"))
    parser.add_argument("--gate", action="store_true", help="with a command in the sandbox")
    parser.add_argument("--plain", action="store_true", help="no mode changes")
    chosen = parser.parse_args()
    if chosen.plain:
        PATCHES["t1"] = PATCHES["t1"].partition("diff --git a/tool.sh")[0]
        AFTER["t1"] = {path: then for path, then in AFTER["t1"].items() if path != "tool.sh"}
    commands = {"run": run, "recover": recover, "check": check}
    if chosen.command == "setup":
        set_up(chosen.gate)
    else:
        commands[chosen.command]()


if __name__ == "__main__":
    main()
