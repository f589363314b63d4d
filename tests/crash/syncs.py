"""Run the landings of driver.py and see that at every decisive point all that went before lasts.

    python syncs.py [--daemon] [--mutant NAME]

`--daemon` runs the whole daemon of daemon.py instead. Prints one JSON line: point by point what a
power loss could have taken though it must not.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import daemon
import daemon_sweep
import driver
import layer
import mutants
import sweep

from aifactory import failpoints

# What need not last at a point; the stage only has to while an intent stands.
DECISIVE: dict[str, tuple[str, ...]] = {
    "publish.done": (".git/aifactory/stage",),
    "landing.begun": (),
    "landing.indexed": (),
    "landing.synced": (),
    "landing.ended": (".git/aifactory/stage",),
}


# A daemon saves tasks and answers, too. What it may lose: caches, and what people only look at;
# that its journal and stage last is seen in the landings alone.
OF_DAEMON = ("queue.saved", "answer.recorded", "ledger.written", *DECISIVE)
LOSABLE = ("cache", "repo/shared", "repo/.git/aifactory")


def judged(found: Path, run: Callable[[], None], decisive: Mapping[str, tuple[str, ...]]) -> None:
    """Run, and write what was not synced at each decisive point."""
    syncs = layer.Syncs(Path.cwd())
    layer.install(syncs.before, syncs.after)
    wrong: dict[str, list[str]] = {}
    reached = set()

    def hit(name: str) -> None:
        if name in decisive:
            reached.add(name)
            lost = [path for path in syncs.pending if not path.startswith(decisive[name])]
            if lost:
                wrong[name] = sorted(lost)

    failpoints.hit = hit
    run()
    missing = {name: ["was not reached"] for name in decisive if name not in reached}
    found.write_text(json.dumps(wrong | missing))


def of_driver(found: Path) -> None:
    judged(found, driver.run, DECISIVE)


def of_daemon(found: Path) -> None:
    judged(found, daemon_sweep.work, dict.fromkeys(OF_DAEMON, LOSABLE))


def main() -> int:
    parser = ArgumentParser()
    parser.add_argument("--daemon", action="store_true")
    parser.add_argument("--mutant", choices=mutants.MUTANTS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, found = Path(scratch) / "repository", Path(scratch) / "found"
        folder.mkdir()
        set_up = partial(daemon.set_up, gate=True) if chosen.daemon else driver.set_up
        assert sweep.forked(set_up, folder, Path(scratch) / "said") == 0

        def work() -> None:
            if chosen.mutant:
                mutants.MUTANTS[chosen.mutant].apply()
            (of_daemon if chosen.daemon else of_driver)(found)

        if sweep.forked(work, folder, Path(scratch) / "said"):
            sys.stdout.write(json.dumps({"failed": [(Path(scratch) / "said").read_text()]}))
            return 1
        sys.stdout.write(found.read_text())
        return os.path.getsize(found) > len("{}")


if __name__ == "__main__":
    sys.exit(main())
