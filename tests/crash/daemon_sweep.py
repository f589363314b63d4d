"""Crash, or starve, the daemon of daemon.py at every step that others could see, and look.

    python daemon_sweep.py [--fault kill|full|eio] [--every K] [--from N] [--seconds S]
    python daemon_sweep.py --mutant NAME

`kill` ends the process before the step, `full` lets the step fail as on a full disk, `eio` fails
an fsync. A mutant breaks one rule; a kill where that tells must find it. Prints one JSON line: the
points tried, how the runs ended, what was wrong. Everything runs in forks of this process, which
starts no thread; only the cage is a fake.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import daemon
import layer
import mutants
import sweep

# What a run needs is imported before the forks, so that each of them starts at once.
from aifactory import auto_agent, failpoints, git, landing, layout, opening, prompts, report, schema
from aifactory.errors import AifactoryError, DiskFull
from aifactory.files import SyncFailed
from aifactory.journal import Journal
from aifactory.model import Event
from aifactory.opening import Options
from aifactory.sandbox import FakeSandbox

PATIENCE = 5  # seconds; a broken rule may leave a daemon that waits for ever
REACHED = "REACHED"
MOST_WRONG = 10  # then the rest is left
PRELOADED = (prompts, report)
ENDED = {"kill": (0, -signal.SIGKILL), "full": (0, 5), "eio": (0, 5)}


class Starve:
    """Lets the N-th change of the disk fail as on a full disk."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def before(self, kind: str, arguments: tuple[Any, ...]) -> None:
        if kind in ("fsync", "unlink", "remove", "rmdir") or own_log(kind, arguments):
            return
        self.steps += 1
        if self.steps == self.at:
            layer.say(REACHED)
            if kind == "git":
                raise DiskFull("no space left for git, as ordered")
            raise OSError(errno.ENOSPC, "no space left, as ordered")

    def after(self, kind: str, arguments: tuple[Any, ...]) -> None:
        pass


class Unsynced(Starve):
    """Lets the N-th fsync fail."""

    def before(self, kind: str, arguments: tuple[Any, ...]) -> None:
        self.steps += kind == "fsync"
        if kind == "fsync" and self.steps == self.at:
            layer.say(REACHED)
            raise OSError(errno.EIO, "input/output error, as ordered")


def own_log(kind: str, arguments: tuple[Any, ...]) -> bool:
    return kind == "write" and arguments[0] in (1, 2)


SEERS: dict[str, Callable[[int], Any]] = {
    "kill": layer.Countdown,
    "full": Starve,
    "eio": Unsynced,
}


def said(event: Event) -> None:
    if event.name == "task.landed":
        layer.say(f"ACK {event.task}")


def work() -> int:
    """One `--once` of the daemon; gives its exit code."""
    os.environ["AIFACTORY_CACHE_DIR"] = str(Path("cache").resolve())
    opening.cage_of = lambda *_: FakeSandbox()
    return auto_agent.run(Path("repo"), Options(once=True, readers=(said,)))


def run() -> None:
    """The same; leaves with that code."""
    try:
        code = work()
    except (AifactoryError, SyncFailed) as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        code = error.exit_code
    os._exit(code)


def recover() -> None:
    repository = git.discover(Path("repo"))
    place = layout.Layout(repository.root, repository.git_dir)
    with Journal(place.journal) as journal:
        landing.recover(repository, place, journal)
    repository.close()


def killed_at(point: str) -> Callable[[], None]:
    name, _, turn = point.partition("@")

    def work() -> None:
        os.environ[failpoints.VARIABLE] = f"{name}=kill@{turn or 1}"
        run()

    return work


def doomed(fault: str, step: int) -> Callable[[], None]:
    def work() -> None:
        seer = SEERS[fault](step)
        layer.install(seer.before, seer.after)
        run()

    return work


def verified(acknowledged: Sequence[str], *, finished: bool) -> Callable[[], None]:
    def work() -> None:
        os.chdir("repo")
        landed = daemon.verify(list(acknowledged))
        if finished:
            assert landed == list(daemon.TASKS), landed
            daemon.once()

    return work


class Sweep:
    def __init__(self, scratch: Path, mutant: mutants.Mutant | None = None) -> None:
        self.scratch, self.mutant = scratch, mutant
        self.template = scratch / "template"
        self.template.mkdir()
        made = sweep.forked(lambda: daemon.set_up(gate=True), self.template, scratch / "said")
        assert made == 0, (scratch / "said").read_text()

    def broken(self, work: Callable[[], None]) -> Callable[[], None]:
        """`work` with the rule of the mutant broken."""

        def run() -> None:
            if self.mutant:
                signal.alarm(PATIENCE)
                self.mutant.apply()
            work()

        return run

    def point(self, doomed: Callable[[], None], ended: Sequence[int]) -> tuple[int, str, bool]:
        """How the run ended, what is wrong afterwards, and whether it came to its point."""
        folder, told = self.scratch / "copy", self.scratch / "said"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.template, folder, symlinks=True)
        told.unlink(missing_ok=True)
        code = sweep.forked(self.broken(doomed), folder, told)
        if code not in ended:
            return code, f"it ended with {code}: {told.read_text()[-1500:]}", True
        lines = told.read_text().splitlines()
        reached = code == -signal.SIGKILL or REACHED in lines
        acknowledged = [line.split()[1] for line in lines if line.startswith("ACK ")]
        works = [self.broken(recover), verified(acknowledged, finished=False), self.broken(run)]
        works.append(verified(list(daemon.TASKS), finished=True))
        for work in works:
            if failed := sweep.forked(work, folder, told):
                return code, f"then one ended with {failed}: {told.read_text()[-1500:]}", reached
        return code, "", reached


def main() -> None:
    schema.check({}, "task")
    parser = ArgumentParser()
    parser.add_argument("--fault", choices=SEERS, default="kill")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--mutant", choices=mutants.MUTANTS)
    chosen = parser.parse_args()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        found = one(Path(scratch), chosen) if chosen.mutant else points(Path(scratch), chosen)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.exit(bool(found["wrong"]))


def one(scratch: Path, chosen: Namespace) -> dict[str, Any]:
    mutant = mutants.MUTANTS[chosen.mutant]
    code, wrong, _ = Sweep(scratch, mutant).point(killed_at(mutant.at), ENDED["kill"])
    return {"ends": {code: 1}, "wrong": [wrong] if wrong else []}


def points(scratch: Path, chosen: Namespace) -> dict[str, Any]:
    """Point after point, until two runs did not reach theirs: threads move the last one."""
    ends, wrong, ends_at = Counter[int](), [], time.monotonic() + chosen.seconds
    work, step, passed = Sweep(scratch), chosen.first, 0
    while passed < 2 and len(wrong) < MOST_WRONG and time.monotonic() < ends_at:
        code, problem, reached = work.point(doomed(chosen.fault, step), ENDED[chosen.fault])
        ends[code] += 1
        wrong += [f"step {step}: {problem}"] if problem else []
        passed = 0 if reached else passed + 1
        step += chosen.every
    return {"points": ends.total(), "steps": step, "ends": dict(ends), "wrong": wrong}


if __name__ == "__main__":
    main()
