"""The line of bubblewrap: a root built from nothing (study/sandbox.md, section 3)."""

from __future__ import annotations

from pathlib import Path

from aifactory.sandbox.cage import CONFIGURATION, SYSTEM_TREES, Cage

PROGRAM = "/usr/bin/bwrap"
MOVES = True


def line(cage: Cage, kept: tuple[int, ...]) -> list[str]:
    """The arguments before the guard's own; `kept` stay open because bwrap keeps them all."""
    size = str(cage.limits.temporary_bytes)
    return [
        PROGRAM, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session",
        "--clearenv", "--hostname", "localhost", "--cap-drop", "ALL",
        *_system(), "--dir", "/etc", *_configuration(),
        "--proc", "/proc", "--ro-bind", "/dev/null", "/proc/keys", "--dev", "/dev",
        "--size", size, "--perms", "1777", "--tmpfs", "/tmp",
        "--size", size, "--perms", "1777", "--tmpfs", "/dev/shm",
        *_trees(cage),
        "--chdir", "/", "--disable-userns", "--remount-ro", "/dev", "--remount-ro", "/", "--",
    ]  # fmt: skip


def surroundings() -> dict[str, str]:
    """The environment of bwrap itself; anything more could be read inside at /proc/1/environ."""
    return {"PATH": "/usr/bin:/bin"}


def objection() -> str:
    """Nothing is known that makes bubblewrap run a command unconfined."""
    return ""


def _source(cage: Cage) -> str:
    return str(cage.workspace if cage.staged else cage.source)


def _system() -> list[str]:
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in SYSTEM_TREES[1:]:
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    return [*arguments, "--tmpfs", "/usr/local"]


def _configuration() -> list[str]:
    names = (*CONFIGURATION, "passwd", "group")
    return [word for name in names for word in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")]


def _trees(cage: Cage) -> list[str]:
    """The workspace and the read-only trees, outer directories before what lies in them."""
    binds = [("--ro-bind", str(path), str(path)) for path in cage.trees]
    binds.append(("--bind", _source(cage), str(cage.workspace)))
    return [word for bind in sorted(binds, key=lambda bind: bind[2]) for word in bind]
