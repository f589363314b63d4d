"""Git, room on the disk, the clock."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from aifactory.doctor.ground import FAIL, OK, WARN, Finding, Ground, Level
from aifactory.git import Repository

OLDEST_GIT = (2, 31)  # `rev-parse --path-format`
DURABLE_GIT = (2, 36)  # `core.fsync`
LEAST_BYTES, FEW_BYTES = 200 << 20, 2 << 30
MIB = 1 << 20


def git(ground: Ground) -> Iterator[Finding]:
    said = Repository(Path("/"), Path("/")).run("--version").decode().strip()
    found = re.search(r"(\d+)\.(\d+)", said)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < OLDEST_GIT:
        yield Finding("git", FAIL, said, f"install Git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer")
    elif version < DURABLE_GIT:
        remedy = "install Git 2.36 or newer: only then everything is synced to the disk"
        yield Finding("git", WARN, said, remedy)
    else:
        yield Finding("git", OK, said)


def disk(ground: Ground) -> Iterator[Finding]:
    for name, path in (("disk", ground.repository.git_dir), ("cache", ground.layout.cache)):
        path = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(path).free
        level: Level = FAIL if free < LEAST_BYTES else WARN if free < FEW_BYTES else OK
        remedy = "" if level == OK else "free some space"
        yield Finding(name, level, f"{free // MIB} MiB free at {path}", remedy)


def clock(ground: Ground) -> Iterator[Finding]:
    said = ground.repository.run("log", "-1", "--format=%ct", "--all", ok=(0, 128)).decode().strip()
    ahead = int(said or 0) - time.time()
    if ahead > 60:
        yield Finding("clock", WARN, f"{ahead:.0f} s behind the newest commit", "set the clock")
    else:
        yield Finding("clock", OK, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
