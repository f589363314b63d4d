"""What is sent into a cage: the guard's modules, its plan, and the launcher's before them."""

from __future__ import annotations

import importlib.util
import marshal
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from aifactory.sandbox.cage import (
    DEVICES,
    HOME,
    Cage,
    hidden_files,
    hidden_tops,
    inodes,
    launch_plan,
    private_homes,
)
from aifactory.sandbox.spec import Spec

GUARD = tuple(
    f"inside.{name}" for name in ("kernel", "proof", "hardening", "forward", "watch", "guard")
)
LAUNCHER = ("launcher",)
PROXY_PORT = 3128  # on the cage's own loopback, where nobody else listens
PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
SYSTEM_PYTHON = "/usr/bin/python3"
INVISIBLE = ("/dev/kmsg", "/dev/fuse", "/dev/mem", "/etc/shadow", "/sys/kernel")
REPLACED = ("/etc", "/dev", "/dev/shm", "/proc", "/usr/local")
# Takes modules, then a plan, each behind its length, from standard input, which stays open.
BOOTSTRAP = """import marshal,os,sys
def take(size):
    data=b""
    while len(data)<size:
        part=os.read(0,size-len(data))
        if not part: os._exit(125)
        data+=part
    return data
for name,code in marshal.loads(take(int(take(8)))):
    module=sys.modules[name]=type(os)(name)
    exec(code,module.__dict__)
module.main(marshal.loads(take(int(take(8)))))"""


def bootstrap(interpreter: str) -> list[str]:
    return [interpreter, "-I", "-S", "-c", BOOTSTRAP]


def inner_interpreter(cage: Cage) -> str:
    """The guard's interpreter: the system's, else the first that the readable trees hold."""
    programs = [SYSTEM_PYTHON, *(str(tree / "bin" / "python3") for tree in cage.trees)]
    return next((program for program in programs if os.access(program, os.X_OK)), sys.executable)


def outer_interpreter() -> str:
    """The launcher's interpreter; the system's starts soonest."""
    return SYSTEM_PYTHON if os.access(SYSTEM_PYTHON, os.X_OK) else sys.executable


def parcel(modules: tuple[str, ...], interpreter: str, plan: dict[str, Any]) -> bytes:
    """Modules and a plan for `bootstrap`; compiled ones when the interpreter can take them."""
    parts = (_bundle(modules, interpreter), marshal.dumps(plan, 2))
    return b"".join(b"%08d" % len(part) + part for part in parts)


@cache
def _bundle(modules: tuple[str, ...], interpreter: str) -> bytes:
    texts = [(f"aifactory.sandbox.{name}", _source(name)) for name in modules]
    if not _same_bytecode(interpreter):
        return marshal.dumps(texts, 2)
    return marshal.dumps([(name, compile(text, name, "exec")) for name, text in texts])


def _source(name: str) -> str:
    return Path(__file__).parent.joinpath(*name.split(".")).with_suffix(".py").read_text("utf-8")


@cache
def _same_bytecode(interpreter: str) -> bool:
    """Whether that interpreter runs what this one compiles; asked once."""
    if interpreter == sys.executable:
        return True
    ask = "import importlib.util as u;print(u.MAGIC_NUMBER.hex())"
    try:
        asked = subprocess.run(
            [interpreter, "-I", "-S", "-c", ask], capture_output=True, timeout=10, env={}
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.stdout.decode().strip() == importlib.util.MAGIC_NUMBER.hex()


def guard_plan(spec: Spec, cage: Cage, status: int, brings_filter: bool) -> dict[str, Any]:
    """What the guard proves, bounds and runs."""
    return {
        "status": status,
        "uid": cage.uid,
        "gid": cage.gid,
        "seccomp": brings_filter,
        "namespaces": {name: _namespace(name) for name in ("net", "pid", "mnt", "ipc")},
        "replaced": {path: _identity(path) for path in _replaced(cage)},
        "invisible": [*INVISIBLE, *hidden_files()],
        "read_only": ["/", "/usr", *(str(path) for path in cage.trees)],
        "workspace": str(cage.workspace),
        "writable": [str(cage.workspace), "/tmp", "/dev/shm"],
        "devices": [f"/dev/{name}" for name in DEVICES],
        "home": HOME,
        "temporary": ["/tmp", "/dev/shm"],
        "bounds": _bounds(cage),
        "rlimits": _rlimits(cage),
        "argv": list(spec.argv),
        "environment": environment(spec),
        "proxy": str(spec.network or ""),
        "proxy_port": PROXY_PORT,
    }


def _replaced(cage: Cage) -> list[str]:
    """Directories that must not be the daemon's own inside."""
    shown = (cage.workspace, *cage.trees)
    homes = [home for home in private_homes() if not any(map(Path(home).is_relative_to, shown))]
    wanted = (*hidden_tops(), *homes, *REPLACED)
    return [path for path in wanted if Path(path) not in cage.trees]


def _bounds(cage: Cage) -> dict[str, int]:
    """What the guard watches; 0: the kernel does."""
    limits = cage.limits
    return {
        "memory": 0 if "memory" in cage.enforced else limits.memory_bytes,
        "temporary": limits.temporary_bytes * 2,
        "temporary_files": inodes(limits.temporary_bytes) * 2,
        "disk": 0 if "disk" in cage.enforced else limits.disk_bytes,
        "files": limits.disk_files,
    }


def _rlimits(cage: Cage) -> dict[str, int]:
    limits = cage.limits
    return {
        "NPROC": limits.processes,
        "FSIZE": limits.file_bytes,
        "NOFILE": limits.open_files,
        "CORE": core_limit(),
        "MEMLOCK": 65_536,
    }


def core_limit(pattern: Path = Path("/proc/sys/kernel/core_pattern")) -> int:
    """No file of a dying process's memory. Where a program of the machine's gets it through a pipe,
    which asks for no limit but 1 (core(5)), not even that: it runs as root, outside."""
    try:
        return 1 if pattern.read_bytes().startswith(b"|") else 0
    except OSError:
        return 1


def _namespace(name: str) -> str:
    return str(Path("/proc/self/ns", name).readlink())


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def environment(spec: Spec) -> dict[str, str]:
    """The command's environment: built from nothing, plus what the spec adds."""
    base = {"HOME": HOME, "TMPDIR": "/tmp", "LANG": "C.UTF-8", "USER": "cage", "LOGNAME": "cage"}
    way = f"http://127.0.0.1:{PROXY_PORT}"
    base |= dict.fromkeys(PROXY_VARIABLES, way) if spec.network else {}
    path = spec.environment.get("PATH", "/usr/bin:/bin")
    return base | {"SHELL": "/bin/bash", **spec.environment, "PATH": f"{path}:{HOME}/bin"}


def launcher_plan(
    cage: Cage, line: list[str], surroundings: dict[str, str], groups: list[str]
) -> dict[str, Any]:
    return {**launch_plan(cage), "line": line, "environment": surroundings, "groups": groups}
