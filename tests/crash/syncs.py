"""Run the landings of driver.py and see that at every decisive point all that went before lasts.

    python syncs.py [--mutant NAME]

Prints one JSON line: point by point what a power loss could have taken though it must not.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

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


def judged(found: Path) -> None:
    """Run the landings, and write what was not synced at each decisive point."""
    syncs = layer.Syncs(Path.cwd())
    layer.install(syncs.before, syncs.after)
    wrong: dict[str, list[str]] = {}
    reached = set()

    def hit(name: str) -> None:
        if name in DECISIVE:
            reached.add(name)
            lost = [path for path in syncs.pending if not path.startswith(DECISIVE[name])]
            if lost:
                wrong[name] = sorted(lost)

    failpoints.hit = hit
    driver.run()
    missing = {name: ["was not reached"] for name in DECISIVE if name not in reached}
    found.write_text(json.dumps(wrong | missing))


def main(options: list[str]) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder, found = Path(scratch) / "repository", Path(scratch) / "found"
        folder.mkdir()
        assert sweep.forked(driver.set_up, folder, Path(scratch) / "said") == 0

        def work() -> None:
            if options:
                mutants.MUTANTS[options[-1]].apply()
            judged(found)

        if sweep.forked(work, folder, Path(scratch) / "said"):
            sys.stdout.write(json.dumps({"failed": [(Path(scratch) / "said").read_text()]}))
            return 1
        sys.stdout.write(found.read_text())
        return os.path.getsize(found) > len("{}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
