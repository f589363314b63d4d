"""What both backends have in common: the view that a command gets, worked out from its spec."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from aifactory.errors import SandboxUnusable
from aifactory.sandbox.owner import is_owner
from aifactory.sandbox.spec import MIB, Limits, Spec

HOME = "/tmp/home"
SYSTEM_TREES = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
CONFIGURATION = (
    "alternatives", "ca-certificates.conf", "debian_version", "hosts", "host.conf",
    "java-17-openjdk", "java-21-openjdk", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime",
    "mime.types", "nsswitch.conf", "os-release", "pki", "protocols", "services", "ssl", "timezone",
)  # fmt: skip
FIREJAIL_OWN = ("firejail/firejail.config", "firejail/firejail.users", "login.defs")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")


@dataclass(frozen=True)
class Cage:
    """One command's cage: who runs, where, and which trees are there. All paths are absolute."""

    uid: int
    gid: int
    source: Path
    workspace: Path
    trees: tuple[Path, ...]
    limits: Limits
    staged: bool  # the daemon is root: `launcher.py` has built the view
    masked: tuple[Path, ...]
    enforced: frozenset[str]  # totals that the kernel holds: "memory", "processes", "disk"


def cage_for(spec: Spec, grouped: bool) -> Cage:
    """Check the spec's paths; raises SandboxUnusable when no cage can be built round them."""
    source = spec.workspace.resolve()
    try:
        found = source.stat()
    except OSError as error:
        raise SandboxUnusable(f"no workspace at {source}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise SandboxUnusable(f"the workspace {source} is not a directory")
    root = os.geteuid() == 0
    if root and not is_owner(found.st_uid):
        raise SandboxUnusable(
            f"the workspace {source} belongs to uid {found.st_uid}, which is no sandbox user",
            next_step="give it to the user that aifactory.sandbox.owner(slot) names",
        )
    uid, gid = (found.st_uid, found.st_gid) if root else (os.getuid(), os.getgid())
    inside = spec.mounted_at or source
    trees = tuple(path for path in _trees(spec) if not _is_system(path))
    for path in (inside, *trees, *spec.masked):
        check_place(path)
    totals = {"memory", "processes"} if grouped else set()
    totals |= {"disk"} if _is_bounded(source, spec.limits) else set()
    return Cage(uid, gid, source, inside, trees, spec.limits, root, spec.masked, frozenset(totals))


def _is_bounded(path: Path, limits: Limits) -> bool:
    """Whether the workspace has a filesystem of its own that is no larger than its bound."""
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize <= limits.disk_bytes * 1.1 and found.f_files > 0


def _trees(spec: Spec) -> list[Path]:
    """The readable trees that exist, as named and as resolved, each inside no other."""
    wanted = (*spec.readable, *([spec.network.parent] if spec.network else []))
    named = [Path(os.path.normpath(path.absolute())) for path in wanted if path.exists()]
    paths = list(dict.fromkeys([*named, *(path.resolve() for path in named)]))
    return [p for p in paths if not any(p != q and q in p.parents for q in paths)]


def _is_system(path: Path) -> bool:
    if path.parts[:3] == ("/", "usr", "local"):
        return False
    return len(path.parts) > 1 and path.parts[1] in SYSTEM_TREES


def check_place(path: Path) -> None:
    """Refuse what would open the whole machine, or what would be misread on the way."""
    if not str(path).isprintable():
        raise SandboxUnusable(
            f"the path {str(path)!r} has characters that no cage can take",
            next_step="rename the directory",
        )
    home = own_home()
    whole = len(path.parts) < 3 or path.parts[1] in ("proc", "sys", "dev", "etc")
    if whole or path == home or path in home.parents:
        raise SandboxUnusable(
            f"{path} is too much to open to a command", next_step="name a directory of a project"
        )


def inodes(size: int) -> int:
    """How many files a temporary filesystem of `size` bytes may hold."""
    return max(1024, size // 8192)


def own_home() -> Path:
    """The home of the user that we are, by the machine's list of users, as firejail sees it."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path.home()


def private_homes() -> list[str]:
    """Directories that are the user's own and no program's: hidden even where the directory above
    is not replaced, as firejail puts the user's home back into an empty /home."""
    homes = dict.fromkeys((own_home(), Path.home()))
    return [str(home) for home in homes if len(home.parts) > 2 and not _is_system(home)]


def hidden_tops() -> list[str]:
    """The directories directly below / that hold nothing of the system's programs."""
    kept = {*SYSTEM_TREES, "proc", "sys", "dev", "etc", "lost+found"}
    with os.scandir("/") as entries:
        return sorted(
            e.path for e in entries if e.name not in kept and e.is_dir(follow_symlinks=False)
        )


def hidden_files() -> list[str]:
    """The plain files directly below /; none is the system's."""
    with os.scandir("/") as entries:
        return sorted(e.path for e in entries if e.is_file(follow_symlinks=False))


def launch_plan(cage: Cage) -> dict[str, object]:
    """The plan of `launcher.py`, but for the command line: covers, trees, files."""
    size = cage.limits.temporary_bytes
    covers = [(top, 0o1777 if top == "/tmp" else 0o755, size) for top in hidden_tops()]
    covers += [("/usr/local", 0o755, MIB)] if Path("/usr/local").is_dir() else []
    configured = [Path("/etc", name) for name in (*CONFIGURATION, *FIREJAIL_OWN)]
    etc = [(str(path), str(path)) for path in configured if path.is_dir()]
    # What is reached through a link is attached where it really is.
    real = [path for path in cage.trees if path.exists() and path.parent.resolve() == path.parent]
    trees = [(str(path), str(path)) for path in real]
    return {
        "uid": cage.uid,
        "gid": cage.gid,
        "workspace": str(cage.workspace),
        "trees": [*etc, *sorted([*trees, (str(cage.source), str(cage.workspace))], key=_target)],
        "covers": [*covers, ("/etc", 0o755, 16 * MIB)],
        "copies": [str(path) for path in configured if path.is_file()],
        "directories": ["/home", "/var/tmp", "/var/log", "/var/lib", "/var/cache", "/run/lock"],
        "files": [("/etc/passwd", passwd(cage)), ("/etc/group", group(cage))],
        "home": "/home/cage",
    }


def _target(tree: tuple[str, str]) -> str:
    """Outer directories sort before what lies in them."""
    return tree[1]


def passwd(cage: Cage) -> str:
    lines = [
        "root:x:0:0:root:/root:/bin/bash",
        "nobody:x:65534:65534:nobody:/nonexistent:/bin/false",
    ]
    return "\n".join([*lines, f"cage:x:{cage.uid}:{cage.gid}:cage:/home/cage:/bin/bash", ""])


def group(cage: Cage) -> str:
    return "\n".join(["root:x:0:", "tty:x:5:", "nogroup:x:65534:", f"cage:x:{cage.gid}:", ""])
