"""What Git runs under: nothing of the user's or the repository's settings that could run a program.

Every object and ref that Git writes is synced (`core.fsync=all`; study: durability, section 1.1).
"""

from __future__ import annotations

import os
from pathlib import Path

from aifactory.redaction import public

HARDENED = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.fsync": "all",
    "core.untrackedCache": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
    "submodule.recurse": "false",
    "diff.external": "",
    "advice.detachedHead": "false",
    "init.defaultBranch": "main",
}
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "SSH_AUTH_SOCK", "LD_LIBRARY_PATH")


def hardened(root: Path, git_dir: Path, quarantine: Path | None) -> dict[str, str]:
    """For a command of ours; with a quarantine its new objects go there."""
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env |= {
        "GIT_DIR": str(git_dir),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C.UTF-8",
    }
    settings = {**HARDENED, "safe.directory": str(root)}
    env["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    if quarantine:
        env["GIT_OBJECT_DIRECTORY"] = str(quarantine)
        objects = str(git_dir / "objects").replace("\\", "\\\\").replace('"', '\\"')
        env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = f'"{objects}"'  # a colon would split it
    return env


def users_environment() -> dict[str, str]:
    """The environment without secrets and without what points Git at some other repository."""
    kept = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
    return {
        name: value
        for name, value in public(os.environ).items()
        if not name.startswith("GIT_") or name in kept
    }
