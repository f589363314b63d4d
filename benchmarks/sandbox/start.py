"""What one caged `true` costs, beside bare and beside bare bubblewrap: `python -m` this file.

Runs are interleaved, so that other load falls on all alike; the ratios are what counts. Prints a
table, or JSON with `--json`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from aifactory.errors import SandboxUnusable
from aifactory.layout import cache_home
from aifactory.sandbox import Spec, own_toolchain, owner
from aifactory.sandbox.confined import BACKENDS, Confined

TRUE = "/usr/bin/true"
BARE_BUBBLEWRAP = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", TRUE)
Case = Callable[[], object]


def cases(workspace: Path) -> dict[str, Case]:
    found: dict[str, Case] = {"bare": lambda: subprocess.run([TRUE], check=True)}
    if shutil.which("bwrap"):
        found["bubblewrap alone"] = lambda: subprocess.run(BARE_BUBBLEWRAP, check=True)
    tools = own_toolchain()
    spec = Spec((TRUE,), workspace, tools.environment, tools.readable)
    for backend in BACKENDS:
        if works(backend, spec):
            found[f"{backend.name} caged"] = lambda backend=backend: backend.run(spec)  # type: ignore[misc] # bound now
    return found


def works(backend: Confined, spec: Spec) -> bool:
    try:
        return backend.run(spec).ok
    except SandboxUnusable as error:
        sys.stderr.write(f"{backend.name} is left out: {error}\n")
        return False


def milliseconds(case: Case) -> float:
    started = time.perf_counter()
    case()
    return (time.perf_counter() - started) * 1000


def measure(rounds: int) -> dict[str, dict[str, float]]:
    cache_home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_home()) as parent:
        Path(parent).chmod(0o755)
        workspace = Path(parent, "workspace")
        workspace.mkdir()
        if ids := owner(0):
            os.chown(workspace, *ids)
        chosen = cases(workspace)
        times: dict[str, list[float]] = {name: [] for name in chosen}
        for _ in range(rounds):
            for name, case in chosen.items():
                times[name].append(milliseconds(case))
    bare = statistics.median(times["bare"])
    return {name: _row(found, bare) for name, found in times.items()}


def _row(found: list[float], bare: float) -> dict[str, float]:
    median = statistics.median(found)
    return {
        "median_ms": round(median, 1),
        "min_ms": round(min(found), 1),
        "x_bare": round(median / bare, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.rounds)
    if options.json:
        sys.stdout.write(json.dumps({"load": os.getloadavg(), "rows": rows}) + "\n")
        return
    sys.stdout.write(f"{'':20} {'median ms':>10} {'min ms':>8} {'x bare':>7}\n")
    for name, row in rows.items():
        line = f"{name:20} {row['median_ms']:10} {row['min_ms']:8} {row['x_bare']:7}\n"
        sys.stdout.write(line)


if __name__ == "__main__":
    main()
