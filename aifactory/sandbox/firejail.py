"""The line of firejail: long, because it hides by list (study/sandbox.md, sections 2, 3)."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

from aifactory.errors import SandboxUnusable
from aifactory.sandbox.cage import CONFIGURATION, Cage, hidden_files, hidden_tops, private_homes

PROGRAM = "/usr/bin/firejail"
MOVES = False  # only root may bind a directory to another path
MISREAD = set(",;\"'\\*?[]{}$`~")
KERNEL_THREADS = ("kthreadd", "ksoftirqd", "kworker", "rcu_")
STAYING = ("/home", "/root", "/run", "/tmp", "/usr/local", "/var")


def line(cage: Cage, kept: tuple[int, ...]) -> list[str]:
    """The arguments before the guard's own; raises SandboxUnusable for paths it would misread."""
    for path in (cage.workspace, *cage.trees, *cage.masked, *private_homes()):
        if MISREAD & set(str(path)):
            raise SandboxUnusable(
                f"firejail cannot take the path {path}", next_step="rename it or use bubblewrap"
            )
    return [
        PROGRAM, "--quiet", "--noprofile", "--deterministic-exit-code", _keeping(kept),
        "--net=none", "--protocol=unix,inet,inet6", "--caps.drop=all", "--nonewprivs", "--noroot",
        "--nogroups", "--seccomp=io_uring_setup,io_uring_enter,io_uring_register",
        "--seccomp.block-secondary", "--restrict-namespaces", "--ipc-namespace",
        "--hostname=localhost", "--machine-id", "--x11=none",
        "--dbus-user=none", "--dbus-system=none",
        "--private-dev", "--blacklist=/sys", "--blacklist=/proc/keys", "--read-only=/",
        *(f"--blacklist={path}" for path in hidden_files()),
        *(["--deterministic-shutdown"] if guard_can_be_killed() else []),
        *(_staged(cage) if cage.staged else _listed(cage)), "--",
    ]  # fmt: skip


def _keeping(descriptors: tuple[int, ...]) -> str:
    return f"--keep-fd={','.join(map(str, descriptors))}"


@cache
def guard_can_be_killed() -> bool:
    """Whether Landlock lets the command signal the guard, as it did before its version 6.

    Without the guard firejail would wait for what the command left; the option that makes it end
    all costs 0.1 s for every command (study/sandbox.md, section 2).
    """
    libc = ctypes.CDLL(None)
    return bool(libc.syscall(444, None, ctypes.c_size_t(0), 1) < 6)


def objection() -> str:
    """Why firejail cannot be trusted here; it runs commands unconfined in what it takes for one.

    The test is its own: a machine shows a thread of the kernel's among its first ten processes.
    """
    names = [_read(Path("/proc", str(pid), "comm")) for pid in range(1, 11)]
    if any(name.startswith(KERNEL_THREADS) for name in names):
        return ""
    return "this looks like a container, where firejail confines nothing"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def surroundings() -> dict[str, str]:
    """The environment of firejail itself; without `container` it runs unconfined in containers."""
    fixed = {
        "container": "docker",
        "PATH": "/usr/bin:/bin",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
    }
    return fixed | ({} if os.geteuid() == 0 else {"HOME": str(Path.home())})


def _staged(cage: Cage) -> list[str]:
    return ["--writable-var", f"--read-write={cage.workspace}"]


def _listed(cage: Cage) -> list[str]:
    """For an ordinary user: hide all but the trees that are named; --private-etc would copy."""
    trees = [*map(str, cage.trees), str(cage.workspace)]
    etc = [f"/etc/{name}" for name in ("passwd", "group", *CONFIGURATION)]
    arguments = [f"--whitelist={path}" for path in etc if Path(path).exists()]
    arguments += [_hide(top, trees) for top in (*hidden_tops(), "/usr/local") if top not in trees]
    # A whitelist in /home leaves the user's own there: only one inside it empties it.
    arguments += [f"--whitelist={home}/.none" for home in private_homes() if home not in trees]
    arguments += [f"--whitelist={tree}" for tree in trees if tree != "/usr/local"]
    modes = {str(cage.workspace): "write"}  # outer directories come first: each covers its own
    arguments += [f"--read-{modes.get(tree, 'only')}={tree}" for tree in sorted(trees)]
    arguments += ["--read-only=/etc"]
    return [*arguments, *(f"--blacklist={path}" for path in cage.masked)]


def _hide(top: str, trees: list[str]) -> str:
    """A whitelist hides the rest of its directory; these must stay directories in any case."""
    kept = top in STAYING or any(tree.startswith(f"{top}/") for tree in trees)
    return f"--whitelist={top}/.none" if kept else f"--blacklist={top}"
