"""Two landings in a checkout with a user's work in it, small enough to crash at every syscall.

    python driver.py setup | run | recover | check   [--mutant NAME] [--plain]

Works in the current directory. `run` recovers, then lands what has not landed and prints
`ACK <task>` for each; `check` exits 0 when the state is one that a crash may leave, and lets a
further `run` finish. Usable by hand, by the tests beside it, and as the commands of a tool that
crashes a program at every syscall (docs/crash.md). A mutant breaks one rule of the protocol: a
check that cannot find it is no check.
"""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from aifactory import git, landing
from aifactory.git import Identity, Repository
from aifactory.journal import Journal
from aifactory.layout import Layout
from aifactory.model import Change, Proposal
from aifactory.trailers import landed_tasks

TARGET = "refs/heads/main"
BASE = "refs/aifactory/base"
READY = "refs/aifactory/tasks/"
AGENT = Identity("coder", "coder@example.org")
AT = 1_700_000_000
COMMITTED = {
    "a.txt": "a\n",
    "b.txt": "b\n",
    "dirty.txt": "committed\n",
    "staged.txt": "committed\n",
    "gone.txt": "g\n",
    "tool.sh": "#!/bin/sh\n",
    "src/m.py": "m\n",
    "deep/only/one.txt": "1\n",
    "file-first": "a file that becomes a directory\n",
    "dir-first/x": "a directory that becomes a file\n",
}
USERS = {
    "dirty.txt": "the user's edit, not committed\n",
    "staged.txt": "the user's edit, staged\n",
    "new-by-user.txt": "untracked\n",
    "tasks/t1.json": "{}\n",
}
STATUS = [" M dirty.txt", "?? new-by-user.txt", "?? tasks/", "M  staged.txt"]


# A tool that models a disk may know neither modes nor a directory that becomes a file.
INTRICATE = ("file-first", "dir-first", "tool.sh")


def change(path: str, text: str | None, mode: str = "100644") -> Change:
    return Change.model_validate(
        {"path": path, "content": None if text is None else text.encode(), "mode": mode}
    )


TASKS: dict[str, tuple[Change, ...]] = {
    "t1": (
        change("a.txt", "a by t1\n"),
        change("gone.txt", None),
        change("tool.sh", "#!/bin/sh\n", "100755"),
        change("src/new.py", "n\n"),
        change("deep/only/one.txt", None),
        change("file-first", None),
        change("file-first/inside", "now a directory\n"),
    ),
    "t2": (
        change("a.txt", "a by t2\n"),
        change("lib/x/y.py", "x\n"),
        change("dir-first/x", None),
        change("dir-first", "now a file\n"),
    ),
}


def after(tasks: list[str]) -> dict[str, tuple[str, bool]]:
    """Path -> text and executable bit of what is committed once these tasks have landed."""
    files = {path: (text, False) for path, text in COMMITTED.items()}
    for task in tasks:
        for one in TASKS[task]:
            files.pop(one.path, None)
            if one.content is not None:
                files[one.path] = (one.content.decode(), one.mode == "100755")
    return files


def plain(*arguments: str, check: bool = True) -> str:
    """Git as the user runs it."""
    env = os.environ | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }
    done = subprocess.run(["git", *arguments], env=env, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"git {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def write(files: Mapping[str, str]) -> None:
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)


def set_up() -> None:
    plain("init", "-q", "-b", "main", ".")
    plain("config", "user.name", "Ada")
    plain("config", "user.email", "ada@example.org")
    write(COMMITTED)
    plain("add", "-A")
    plain("commit", "-qm", "base")
    plain("update-ref", BASE, "HEAD")
    write(USERS)
    plain("add", "staged.txt")
    os.sync()


def run() -> None:
    repository = git.discover(Path.cwd())
    layout = Layout(repository.root, repository.git_dir)
    with Journal(layout.journal) as journal:
        landing.recover(repository, layout, journal)
        lander = landing.Lander(repository, layout, journal)
        for task in TASKS:
            land(repository, layout, lander, task)
            say(f"ACK {task}")
    repository.close()


def land(repository: Repository, layout: Layout, lander: landing.Lander, task: str) -> None:
    """From nothing, or from a published candidate, to a commit on the target."""
    ref, base = READY + task, repository.resolve(BASE) or ""
    if task not in landed_tasks(repository, repository.resolve(TARGET) or "", base):
        candidate = ready(repository, layout, task)
        outcome = lander.land(candidate)
        assert isinstance(outcome, landing.Landed), outcome
    if old := repository.resolve(ref):
        repository.update_refs({ref: (old, repository.null)})


def ready(repository: Repository, layout: Layout, task: str) -> landing.Candidate:
    ref, tip = READY + task, repository.resolve(TARGET) or ""
    if commit := repository.resolve(ref):
        return landing.reopened(repository, layout, commit, target=TARGET, task_id=task, attempt=1)
    proposal = Proposal(task_id=task, attempt=1, agent="coder", base=tip, changes=TASKS[task])
    candidate = landing.prepare(
        repository,
        layout,
        proposal,
        target=TARGET,
        message=f"Do {task}",
        author=AGENT,
        committer=AGENT,
        at=AT,
    )
    landing.publish(repository, candidate)
    repository.update_refs({ref: (repository.null, candidate.commit)})
    landing.discard(candidate)
    return candidate


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def recover() -> None:
    repository = git.discover(Path.cwd())
    layout = Layout(repository.root, repository.git_dir)
    with Journal(layout.journal) as journal:
        for found in landing.recover(repository, layout, journal):
            say(f"{found.what} {found.detail}")
    repository.close()


def check() -> None:
    said = os.environ.get("CRASH_STDOUT")
    lines = Path(said).read_text(errors="replace").splitlines() if said else []
    verify([line.split()[1] for line in lines if line.startswith("ACK ")])
    landed = in_target()
    run()
    verify(list(TASKS))
    say(f"landed={len(landed)}")


def in_target() -> list[str]:
    form = "--format=%(trailers:key=Aifactory-Task,valueonly)"
    return plain("log", "--reverse", form, "main").split()


def verify(acknowledged: list[str]) -> None:
    """The state is before or after each task, and what is the user's is as it was."""
    damage = plain("fsck", "--strict", "--no-dangling", "--no-progress")
    assert not damage, damage
    locks = [path for path in Path(".git").rglob("*.lock") if path.name != "daemon.lock"]
    assert not locks, locks
    left = [*Path(".git/aifactory").glob("stage/*"), *Path(".git/aifactory").glob("kept/*")]
    assert not left, left
    tasks = in_target()
    assert tasks == list(TASKS)[: len(tasks)], f"main holds {tasks}"
    assert set(acknowledged) <= set(tasks), f"acknowledged {acknowledged}, main holds {tasks}"
    for path, text in USERS.items():
        assert Path(path).read_text() == text, f"the user's {path} was changed"
    status = sorted(plain("status", "--porcelain").splitlines())
    assert status == sorted(STATUS), f"status {status}"
    on_disk(after(tasks))
    plain("diff", "--quiet", "--cached", "main", "--", ":!staged.txt")


def on_disk(expected: Mapping[str, tuple[str, bool]]) -> None:
    """Every committed file has its bytes and mode, and nothing else is left, not a directory."""
    for path, (text, executable) in expected.items():
        if path not in USERS:
            assert Path(path).read_text() == text, path
            assert bool(Path(path).stat().st_mode & 0o100) == executable, path
    wanted = {*expected, *USERS}
    folders = {str(parent) for path in wanted for parent in Path(path).parents}
    found = {str(path) for path in Path().rglob("*") if ".git" not in path.parts}
    assert found == (wanted | folders) - {"."}, found ^ (wanted | folders)


COMMANDS = {"setup": set_up, "run": run, "recover": recover, "check": check}


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--mutant")
    parser.add_argument("--plain", action="store_true")
    chosen = parser.parse_args()
    if chosen.mutant:
        from mutants import MUTANTS

        MUTANTS[chosen.mutant].apply()
    if chosen.plain:
        for task, changes in TASKS.items():
            TASKS[task] = tuple(one for one in changes if not one.path.startswith(INTRICATE))
    COMMANDS[chosen.command]()


if __name__ == "__main__":
    main()
