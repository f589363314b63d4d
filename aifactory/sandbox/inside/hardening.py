"""Harden the command's process from within: limits, Landlock, a filter of system calls."""

# ruff: noqa: PTH112 - starts for every command, and pathlib would cost as much as the rest

from __future__ import annotations

import ctypes
import os
import resource
import struct

from aifactory.sandbox.inside.kernel import (
    NO_NEW_PRIVS,
    SET_DUMPABLE,
    SET_SECCOMP,
    Refusal,
    control,
    libc,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aifactory.sandbox.inside.kernel import Plan

LOAD, EQUAL, AT_LEAST, ANY_BIT, GIVE = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST, SECOND = 0, 4, 16, 24  # offsets in what a filter sees
PERMIT, EPERM, ENOSYS, EAFNOSUPPORT = 0x7FFF0000, 1, 38, 97
X32, NEW_NAMESPACES, TIOCSTI, TIOCLINUX = 0x40000000, 0x7E020000, 0x5412, 0x541C
NEWER = 463  # the first call that this table does not know; the numbers are alike everywhere
ASK = 0xFFFFFFFF  # what `personality` takes to tell and to change nothing
OF_A_USER, IO_OF_A_USER = 2, 3  # whose priority: everybody's with the user's number
FAMILIES = (1, 2, 10)  # unix, inet, inet6
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
# (x86_64, aarch64) numbers of what no command needs; 0: the machine does not have the call.
DENIED = {
    "io_uring": ((425, 425), (426, 426), (427, 427)),
    "keys": ((248, 217), (249, 218), (250, 219)),
    "bpf": ((321, 280),),
    "perf": ((298, 241),),
    "userfaultfd": ((323, 282),),
    "processes": (
        (101, 117), (310, 270), (311, 271), (312, 272), (438, 438), (440, 440), (448, 448),
    ),
    "memory": ((154, 0), (278, 75), (447, 447)),
    "namespaces": ((272, 97), (308, 268)),
    "mounts": (
        (165, 40), (166, 39), (155, 41), (161, 51), (428, 428), (429, 429), (430, 430),
        (431, 431), (432, 432), (433, 433), (442, 442),
    ),
    "handles": ((303, 264), (304, 265)),
    "modules": ((175, 105), (176, 106), (313, 273), (174, 0), (177, 0), (178, 0)),
    "kexec": ((246, 104), (320, 294)),
    "clock": ((159, 171), (164, 170), (227, 112), (305, 266)),
    "machine": (
        (103, 116), (134, 0), (136, 0), (153, 58), (156, 0), (163, 89), (167, 224), (168, 225),
        (169, 142), (172, 0), (173, 0), (179, 60), (180, 42), (212, 18), (216, 0),
        (256, 238), (279, 239), (300, 262), (443, 443), (460, 460),
    ),
}  # fmt: skip
# (x86_64, aarch64) numbers of calls that are looked at more closely.
CLONE, CLONE3, IOCTL, PRCTL, MEMFD = (56, 220), (435, 435), (16, 29), (157, 167), (319, 279)
SOCKETS = ((41, 198), (53, 199))  # socket, socketpair
PERSONALITY, SET_PRIORITY, SET_IO_PRIORITY = (135, 92), (141, 140), (251, 30)
# Of one process, the caller for 0: prlimit64, sched_setparam, sched_setscheduler, sched_setattr.
OF_A_PROCESS = ((302, 261), (142, 118), (144, 119), (314, 274))
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, audit architecture


def landlock_abi() -> int:
    version: int = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    return max(0, version)


def restrict_paths(plan: Plan) -> None:
    """A second wall round the files, by Landlock; below version 2 renames would break."""
    abi = landlock_abi()
    if abi < 2:
        return
    rights = (1 << {2: 14, 3: 15, 4: 15}.get(abi, 16)) - 1
    attributes = struct.pack("QQQ", rights, 0, 3 if abi >= 6 else 0)
    attributes = attributes[: 8 if abi < 4 else 16 if abi < 6 else 24]
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    rules = libc.syscall(LANDLOCK_CREATE, buffer, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        raise Refusal("Landlock makes no rule set")
    read, device = 1 | 4 | 8, 2 | 4 | 1 << 15
    allow(rules, "/", read & rights)
    for path in plan["writable"]:
        allow(rules, path, rights & ~(1 << 6 | 1 << 11))  # never make device nodes
    for path in plan["devices"]:
        allow(rules, path, device & rights)
    if libc.syscall(LANDLOCK_RESTRICT, rules, 0):
        raise Refusal("Landlock does not restrict")
    os.close(rules)


def allow(rules: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= 1 | 2 | 4 | 1 << 14 | 1 << 15
    rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, opened), 12)
    if libc.syscall(LANDLOCK_ADD, rules, 1, rule, 0):
        raise Refusal(f"Landlock takes no rule for {path}")
    os.close(opened)


def step(code: int, yes: int, no: int, value: int) -> bytes:
    """One instruction of BPF: where to go on `yes` and on `no`, counted in instructions."""
    return struct.pack("HBBI", code, yes, no, value)


def error(number: int) -> bytes:
    return step(GIVE, 0, 0, 0x50000 | number)


def unless(call: int, *checks: bytes) -> list[bytes]:
    """Steps for one call only, after which the call's number is loaded again."""
    return [step(EQUAL, 0, len(checks) + 1, call), *checks, step(LOAD, 0, 0, NUMBER)]


def filter_program(plan: Plan) -> bytes:
    """The filter: other entries, denied calls, namespaces, terminals, sockets, hiding, and what
    reaches the guard, which has the command's own user."""
    machine = os.uname().machine
    if machine not in MACHINES:
        raise Refusal(f"no table of system calls for {machine}")
    column, architecture = MACHINES[machine]
    program = [step(LOAD, 0, 0, ARCHITECTURE), step(EQUAL, 1, 0, architecture), error(EPERM)]
    program += [step(LOAD, 0, 0, NUMBER), step(AT_LEAST, 0, 1, X32), error(EPERM)]
    program += [step(AT_LEAST, 0, 1, NEWER), error(ENOSYS)]
    for number in sorted({pair[column] for group in DENIED.values() for pair in group} - {0}):
        program += [step(EQUAL, 0, 1, number), error(EPERM)]
    for pair in (CLONE3, MEMFD) if plan["bounds"]["memory"] else (CLONE3,):  # libc does without
        program += [step(EQUAL, 0, 1, pair[column]), error(ENOSYS)]
    for pair, checks in looked_at():
        program += unless(pair[column], *checks)
    return b"".join([*program, step(GIVE, 0, 0, PERMIT)])


def looked_at() -> list[tuple[tuple[int, int], list[bytes]]]:
    """Calls that depend on their arguments, and what an argument must not be."""
    one, two, denied = step(LOAD, 0, 0, FIRST), step(LOAD, 0, 0, SECOND), error(EPERM)
    terminals = [step(EQUAL, 1, 0, TIOCSTI), step(EQUAL, 0, 1, TIOCLINUX)]
    families = [step(EQUAL, len(FAMILIES) - i, 0, known) for i, known in enumerate(FAMILIES)]
    mine = [step(EQUAL, 1, 0, 0), denied]
    return [
        (CLONE, [one, step(ANY_BIT, 0, 1, NEW_NAMESPACES), denied]),
        (IOCTL, [two, *terminals, denied]),
        (PRCTL, [one, step(EQUAL, 0, 1, SET_DUMPABLE), denied]),
        (PERSONALITY, [one, step(EQUAL, 2, 0, 0), step(EQUAL, 1, 0, ASK), denied]),
        (SET_PRIORITY, [one, step(EQUAL, 0, 1, OF_A_USER), denied, two, *mine]),
        (SET_IO_PRIORITY, [one, step(EQUAL, 0, 1, IO_OF_A_USER), denied, two, *mine]),
        *((call, [one, *mine]) for call in OF_A_PROCESS),
        *((call, [one, *families, error(EAFNOSUPPORT)]) for call in SOCKETS),
    ]


def restrict_calls(plan: Plan) -> None:
    program = filter_program(plan)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    control(NO_NEW_PRIVS, 1, "no_new_privs cannot be set")
    if libc.prctl(SET_SECCOMP, 2, ctypes.create_string_buffer(header, len(header)), 0, 0):
        raise Refusal(f"the kernel takes no filter: {os.strerror(ctypes.get_errno())}")


def limit(plan: Plan) -> None:
    for name, value in plan["rlimits"].items():
        kind = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
