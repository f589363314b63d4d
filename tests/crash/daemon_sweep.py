"""Crash, or starve, the daemon of daemon.py at every step that others could see, and look.

    python daemon_sweep.py [--fault kill|full|eio] [--every K] [--from N] [--seconds S]

`kill` ends the process before the step, `full` lets the step fail as on a full disk, `eio` fails
an fsync. Prints one JSON line: the points tried, how the runs ended, what was wrong. Everything
runs in forks of this process, which starts no thread; only the cage is a fake.
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
import sweep

# What a run needs is imported before the forks, so that each of them starts at once.
from aifactory import auto_agent, git, landing, layout, opening, prompts, report, schema
from aifactory.errors import AifactoryError, DiskFull
from aifactory.files import SyncFailed
from aifactory.journal import Journal
from aifactory.model import Event
from aifactory.opening import Options
from aifactory.sandbox import FakeSandbox

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
        os.write(1, f"ACK {event.task}\n".encode())


def run() -> None:
    """One `--once` of the daemon; leaves with its exit code."""
    os.environ["AIFACTORY_CACHE_DIR"] = str(Path("cache").resolve())
    opening.cage_of = lambda *_: FakeSandbox()
    try:
        code = auto_agent.run(Path("repo"), Options(once=True, readers=(said,)))
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
    def __init__(self, scratch: Path, fault: str) -> None:
        self.scratch, self.fault = scratch, fault
        self.template = scratch / "template"
        self.template.mkdir()
        made = sweep.forked(lambda: daemon.set_up(gate=True), self.template, scratch / "said")
        assert made == 0, (scratch / "said").read_text()

    def point(self, step: int) -> tuple[int, str]:
        """How the run ended, and what is wrong afterwards."""
        folder, told = self.scratch / "copy", self.scratch / "said"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.template, folder, symlinks=True)
        told.unlink(missing_ok=True)
        code = sweep.forked(doomed(self.fault, step), folder, told)
        if code not in ENDED[self.fault]:
            return code, f"step {step} ended with {code}: {told.read_text()[-1500:]}"
        lines = told.read_text().splitlines()
        acknowledged = [line.split()[1] for line in lines if line.startswith("ACK ")]
        works = [recover, verified(acknowledged, finished=False), run]
        works.append(verified(list(daemon.TASKS), finished=True))
        for work in works:
            if sweep.forked(work, folder, told):
                return code, f"step {step}: {told.read_text()[-1500:]}"
        return code, ""


def main() -> None:
    schema.check({}, "task")
    parser = ArgumentParser()
    parser.add_argument("--fault", choices=SEERS, default="kill")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--seconds", type=float, default=1e9)
    found = points(parser.parse_args())
    sys.stdout.write(json.dumps(found) + "\n")
    sys.exit(bool(found["wrong"]))


def points(chosen: Namespace) -> dict[str, Any]:
    """Point after point, until two runs did not reach theirs: threads move the last one."""
    ends, wrong, ends_at = Counter[int](), [], time.monotonic() + chosen.seconds
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        work, step, passed = Sweep(Path(scratch), chosen.fault), chosen.first, 0
        while passed < 2 and len(wrong) < MOST_WRONG and time.monotonic() < ends_at:
            code, problem = work.point(step)
            ends[code] += 1
            wrong += [problem] if problem else []
            passed = passed + 1 if code == 0 and not problem else 0
            step += chosen.every
    return {"points": sum(ends.values()), "steps": step, "ends": dict(ends), "wrong": wrong}


if __name__ == "__main__":
    main()
