"""Kill the landings of driver.py at every step that others could see, recover, and look.

    python sweep.py [--mutant NAME] [--nested] [--start N] [--every K] [--first]

Prints one JSON line: the points tried and what was found wrong. Everything runs in forks of this
process, which starts no thread, so a point costs a fifth of a second.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import driver
import layer
import mutants

AGAIN = 3  # at every third point a second run has to land what is missing


def forked(work: Callable[[], None], folder: Path, said: Path) -> int:
    """Run `work` in a child, in this folder; its exit code, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.chdir(folder)
            out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(out, 1)
            os.dup2(out, 2)
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(work: Callable[[], None], step: int) -> Callable[[], None]:
    def doomed() -> None:
        countdown = layer.Countdown(step)
        layer.install(countdown.before, countdown.after)
        work()

    return doomed


class Sweep:
    def __init__(self, scratch: Path, mutant: str | None) -> None:
        self.scratch = scratch
        self.template = scratch / "template"
        self.template.mkdir()
        self.mutant = mutant
        assert forked(driver.set_up, self.template, scratch / "setup.txt") == 0

    def broken(self, work: Callable[[], None]) -> Callable[[], None]:
        """`work` with the rule of the mutant broken."""

        def run() -> None:
            if self.mutant:
                mutants.MUTANTS[self.mutant].apply()
            work()

        return run

    def point(self, step: int, recovery_step: int | None = None) -> tuple[bool, str]:
        """Whether the run was killed, and what is wrong afterwards."""
        folder = self.scratch / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.template, folder, symlinks=True)
        said = self.scratch / "said.txt"
        said.unlink(missing_ok=True)
        code = forked(self.broken(killed_at(driver.run, step)), folder, said)
        killed = code == -signal.SIGKILL
        if not killed and code:
            return killed, said.read_text()[-600:]
        acknowledged = [line.split()[1] for line in said.read_text().splitlines() if "ACK" in line]
        if recovery_step:
            forked(self.broken(killed_at(driver.recover, recovery_step)), folder, said)
        works = [self.broken(driver.recover), lambda: driver.verify(acknowledged)]
        if step % AGAIN == 0:
            works += [driver.run, lambda: driver.verify(list(driver.TASKS))]
        for work in works:
            if forked(work, folder, said):
                return killed, f"step {step}, {recovery_step}: {said.read_text()[-600:]}"
        return killed, ""


def sweep(options: list[str]) -> dict[str, object]:
    parser = ArgumentParser()
    parser.add_argument("--mutant")
    parser.add_argument("--nested", action="store_true")
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", action="store_true", help="stop at the first violation")
    chosen = parser.parse_args(options)
    wrong: list[str] = []
    points = 0
    # In memory: a kill loses nothing that was written, and syncs cost nothing there.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        work = Sweep(Path(scratch), chosen.mutant)
        step = chosen.start
        while True:
            killed, found = work.point(step, 1 + step * 7 % 40 if chosen.nested else None)
            points += 1
            if found:
                wrong.append(found)
            if not killed or (found and chosen.first):
                return {"points": points, "steps": step, "wrong": wrong}
            step += chosen.every


if __name__ == "__main__":
    result = sweep(sys.argv[1:])
    sys.stdout.write(json.dumps(result))
    sys.exit(bool(result["wrong"]))
