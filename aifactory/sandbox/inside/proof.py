"""Prove from inside that this is a cage: no backend is believed, whatever it returned."""

# ruff: noqa: PTH115, PTH116 - starts for every command, and pathlib would cost as much as the rest

from __future__ import annotations

import os

from aifactory.sandbox.inside.kernel import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aifactory.sandbox.inside.kernel import Plan

CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def prove(plan: Plan) -> None:
    """Raise Refusal unless every fact that makes a cage is seen."""
    prove_identity(plan)
    prove_namespaces(plan)
    prove_filesystem(plan)


def prove_identity(plan: Plan) -> None:
    with open("/proc/self/status") as lines:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
    if plan["uid"] == 0 or set(status["Uid"].split()) != {str(plan["uid"])}:
        raise Refusal(f"the user is {status['Uid'].split()}, not {plan['uid']}")
    if set(status["Gid"].split()) != {str(plan["gid"])}:
        raise Refusal(f"the group is {status['Gid'].split()}, not {plan['gid']}")
    if status["NoNewPrivs"] != "1":
        raise Refusal("no_new_privs is off")
    if plan["seccomp"] and status["Seccomp"] != "2":
        raise Refusal("the backend brought no seccomp filter")
    for name in CAPABILITIES:
        if int(status[name], 16):
            raise Refusal(f"capabilities are left: {name}={status[name]}")


def prove_namespaces(plan: Plan) -> None:
    for name, outer in plan["namespaces"].items():
        if os.readlink("/proc/self/ns/" + name) == outer:
            raise Refusal(f"still in the daemon's {name} namespace")
    with open("/proc/net/dev") as lines:
        interfaces = {line.split(":")[0].strip() for line in lines.readlines()[2:]}
    if interfaces - {"lo"}:
        raise Refusal(f"network interfaces are present: {sorted(interfaces - {'lo'})}")
    if os.readlink("/proc/self") != str(os.getpid()):
        raise Refusal("/proc shows other processes than the cage's own")


def prove_filesystem(plan: Plan) -> None:
    for path, outer in plan["replaced"].items():
        if identity(path) == outer:
            raise Refusal(f"{path} is still the daemon's")
    for path in plan["invisible"]:
        if readable(path):
            raise Refusal(f"visible: {path}")
    for path in plan["read_only"]:
        if not os.statvfs(path).f_flag & os.ST_RDONLY:
            raise Refusal(f"writable: {path}")
    if os.statvfs(plan["workspace"]).f_flag & os.ST_RDONLY:
        raise Refusal("the workspace is read-only")


def identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def readable(path: str) -> bool:
    """A path that is there and not just an empty cover which nobody may open."""
    return os.access(path, os.R_OK)
