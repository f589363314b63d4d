"""Which cage is used here, found out by trying it; never by asking for a version."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aifactory.errors import AifactoryError, SandboxUnusable
from aifactory.layout import cache_home
from aifactory.sandbox.cgroups import group
from aifactory.sandbox.confined import BACKENDS, Confined
from aifactory.sandbox.owner import free_owner
from aifactory.sandbox.scratch import layered
from aifactory.sandbox.spec import Limits, Sandbox, Spec

INSTALL = "install one: `apt install firejail` or `apt install bubblewrap`"
STRENGTHEN = (
    "accept it with [policy] accept_weak_limits = true, or work with --once while somebody looks on"
)
NAME_ONE = (
    'let the owner name one: [sandbox] backend = "bubblewrap", which the guard proves each time'
)
MAKE_ROOM = "make it writable, or set AIFACTORY_CACHE_DIR"
PROBES = (
    ("runs", "true", True),
    ("workspace is writable", "echo x > made && cat made", True),
    ("home and /tmp are writable", "touch ~/a /tmp/a /dev/shm/a", True),
    ("exit status arrives", "exit 42", False),
    ("system is read-only", "touch /usr/a || touch /etc/a", False),
    ("daemon is invisible", "kill -0 {pid}", False),
    ("neighbours are hidden", "cat ../neighbour", False),
    ("no network", "grep -qv -e lo: -e '|' /proc/net/dev", False),
    ("no new namespace", "unshare -U true", False),
)


@dataclass(frozen=True)
class Finding:
    """One line of the self-test, as `aifactory doctor` shows it."""

    name: str
    ok: bool
    detail: str = ""
    remedy: str = ""


def choose(preferred: str | None = None) -> Confined:
    """The preferred cage if one is named, else the first of firejail and bubblewrap that works.

    Raises SandboxUnusable with the reason of each that does not. There is no way to get none.
    Inside a container no cage is chosen that nobody named: firejail runs commands bare there.
    """
    if _hidden(preferred):
        raise SandboxUnusable(
            "this looks like a container: the kernel's own processes are not to be seen",
            next_step=NAME_ONE,
        )
    named = _named(preferred)
    if not named:
        known = ", ".join(backend.name for backend in BACKENDS)
        raise SandboxUnusable(f"no sandbox is called {preferred}", next_step=f"known: {known}")
    reasons = []
    for backend in named:
        broken = _complaint(backend)
        if not broken:
            return backend
        reasons.append(broken)
    raise SandboxUnusable("no sandbox works here: " + "; ".join(reasons), next_step=INSTALL)


def choose_strongest(preferred: str | None = None) -> Confined:
    """As `choose`, but the one that leaves the least to the guard's watch goes first."""
    working = [backend for backend in _named(preferred) if not _complaint(backend)]
    strongest = min(working, key=lambda backend: len(unheld(backend)), default=None)
    return choose(strongest.name if strongest and not _hidden(preferred) else preferred)


def choose_strong(preferred: str | None = None) -> Confined:
    """As `choose_strongest`, for work that nobody watches: raises where a total is not held."""
    found = choose_strongest(preferred)
    if weak := weakness(found):
        raise SandboxUnusable(weak, next_step=STRENGTHEN)
    return found


def weakness(backend: Confined) -> str:
    """What nothing but the guard's watch bounds here, in words; empty where the kernel does all."""
    found = ", ".join(unheld(backend))
    return f"{backend.name}: only watched, not limited by the kernel: {found}" if found else ""


def unheld(backend: Confined | None = None) -> list[str]:
    """The totals of a command that the kernel does not hold here: for any cage, or for one.

    Processes always are: a cage has a user, or a user namespace, with a count of its own.
    """
    found = [] if _has_groups() else ["memory"]
    found += [] if _can_lay() else ["disk"]
    return found + ([] if backend is None or backend.can_move else ["/tmp", "/dev/shm", "the home"])


@cache
def _has_groups() -> bool:
    with group(Limits()) as made:
        return made is not None


@cache
def _can_lay() -> bool:
    with ThreadPoolExecutor(1) as alone:  # it leaves the process's mount namespace
        return alone.submit(_laid).result()


def _laid() -> bool:
    with tempfile.TemporaryDirectory() as parent:
        place = Path(parent, "tree")
        place.mkdir()
        with layered(place, Limits()) as limits:
            return limits is not None


def _named(preferred: str | None) -> list[Confined]:
    return [backend for backend in BACKENDS if preferred in (None, backend.name)]


def _hidden(preferred: str | None) -> bool:
    """Whether no cage may be chosen that nobody named."""
    return preferred is None and in_container()


def in_container(processes: Path = Path("/proc")) -> bool:
    """Whether the kernel's threads are out of sight: the sign by which firejail takes itself for
    nested, and then runs the command unconfined (study/sandbox.md, section 2)."""
    names = (processes / str(number) / "comm" for number in range(1, 11))
    return not any(name.exists() and name.read_text() == "kthreadd\n" for name in names)


@cache
def _complaint(backend: Confined) -> str | None:
    bad = [finding for finding in self_test(backend) if not finding.ok]
    return f"{bad[0].name}: {bad[0].detail}" if bad else None


def self_test(sandbox: Sandbox) -> list[Finding]:
    """Real attempts through the real line; every finding must be ok before work is taken."""
    try:
        directory = _probe_workspace()
    except OSError as error:
        return [Finding(sandbox.name, False, f"no place for a workspace: {error}", MAKE_ROOM)]
    try:
        return _probed(sandbox, directory)
    except AifactoryError as error:
        return [Finding(sandbox.name, False, error.message, error.next_step)]
    finally:
        shutil.rmtree(directory.parent, ignore_errors=True)


def _probed(sandbox: Sandbox, directory: Path) -> list[Finding]:
    script = "; ".join(f"( {_filled(c)} ) >/dev/null 2>&1; echo $?" for _, c, _ in PROBES)
    record = sandbox.run(Spec(("/bin/bash", "-c", script), directory, limits=Limits(seconds=30)))
    statuses = record.output.split()
    if len(statuses) != len(PROBES):
        return [Finding(sandbox.name, False, f"it said {record.output!r}", INSTALL)]
    found = []
    for (name, _, expected), status in zip(PROBES, statuses, strict=True):
        ok = (status == "0") is expected
        remedy = "" if ok else INSTALL
        found.append(Finding(f"{sandbox.name}: {name}", ok, f"status {status}", remedy))
    return found


def _filled(command: str) -> str:
    return command.format(pid=os.getpid())


def _probe_workspace() -> Path:
    home = cache_home()
    home.mkdir(parents=True, exist_ok=True)
    parent = Path(tempfile.mkdtemp(prefix="probe-", dir=home))
    parent.chmod(0o755)
    (parent / "neighbour").write_text("seen")
    directory = parent / "workspace"
    directory.mkdir(mode=0o755)
    if user := free_owner():
        os.chown(directory, *user)
    return directory
