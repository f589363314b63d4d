"""The filter of system calls, run step by step for both machines that it has a table for."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from aifactory.sandbox.inside import hardening
from aifactory.sandbox.inside.kernel import Refusal

PLAN = {"bounds": {"memory": 0}}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOWED, NOT_PERMITTED, NO_SUCH_CALL, NO_FAMILY = "allowed", 1, 38, 97
ASK = 0xFFFFFFFF
# What is asked for: (call, first argument, second argument) by machine, and the answer.
CALLS: dict[str, tuple[dict[str, tuple[int, ...]], object]] = {
    "read": ({"x86_64": (0,), "aarch64": (63,)}, ALLOWED),
    "execve": ({"x86_64": (59,), "aarch64": (221,)}, ALLOWED),
    "unshare": ({"x86_64": (272,), "aarch64": (97,)}, NOT_PERMITTED),
    "mount": ({"x86_64": (165,), "aarch64": (40,)}, NOT_PERMITTED),
    "ptrace": ({"x86_64": (101,), "aarch64": (117,)}, NOT_PERMITTED),
    "bpf": ({"x86_64": (321,), "aarch64": (280,)}, NOT_PERMITTED),
    "keyctl": ({"x86_64": (250,), "aarch64": (219,)}, NOT_PERMITTED),
    "io_uring": ({"x86_64": (425,), "aarch64": (425,)}, NOT_PERMITTED),
    "process_vm_readv": ({"x86_64": (310,), "aarch64": (270,)}, NOT_PERMITTED),
    "clone3": ({"x86_64": (435,), "aarch64": (435,)}, NO_SUCH_CALL),
    "fork": ({"x86_64": (56, 17), "aarch64": (220, 17)}, ALLOWED),
    "thread": ({"x86_64": (56, 0x3D0F00), "aarch64": (220, 0x3D0F00)}, ALLOWED),
    "user namespace": ({"x86_64": (56, 1 << 28), "aarch64": (220, 1 << 28)}, NOT_PERMITTED),
    "terminal size": ({"x86_64": (16, 0, 0x5413), "aarch64": (29, 0, 0x5413)}, ALLOWED),
    "typing": ({"x86_64": (16, 0, 0x5412), "aarch64": (29, 0, 0x5412)}, NOT_PERMITTED),
    "console": ({"x86_64": (16, 0, 0x541C), "aarch64": (29, 0, 0x541C)}, NOT_PERMITTED),
    "unix socket": ({"x86_64": (41, 1), "aarch64": (198, 1)}, ALLOWED),
    "inet socket": ({"x86_64": (41, 2), "aarch64": (198, 2)}, ALLOWED),
    "inet6 socket": ({"x86_64": (41, 10), "aarch64": (198, 10)}, ALLOWED),
    "netlink socket": ({"x86_64": (41, 16), "aarch64": (198, 16)}, NO_FAMILY),
    "vsock": ({"x86_64": (41, 40), "aarch64": (198, 40)}, NO_FAMILY),
    "hiding from the guard": ({"x86_64": (157, 4), "aarch64": (167, 4)}, NOT_PERMITTED),
    "naming a thread": ({"x86_64": (157, 15), "aarch64": (167, 15)}, ALLOWED),
    "netlink socketpair": ({"x86_64": (53, 16), "aarch64": (199, 16)}, NO_FAMILY),
    "unix socketpair": ({"x86_64": (53, 1), "aarch64": (199, 1)}, ALLOWED),
    "own limits": ({"x86_64": (302, 0), "aarch64": (261, 0)}, ALLOWED),
    "limits of the guard": ({"x86_64": (302, 3), "aarch64": (261, 3)}, NOT_PERMITTED),
    "own priority": ({"x86_64": (141, 0, 0), "aarch64": (140, 0, 0)}, ALLOWED),
    "priority of the guard": ({"x86_64": (141, 0, 3), "aarch64": (140, 0, 3)}, NOT_PERMITTED),
    "priority of the user": ({"x86_64": (141, 2, 0), "aarch64": (140, 2, 0)}, NOT_PERMITTED),
    "disk turn of the guard": ({"x86_64": (251, 1, 3), "aarch64": (30, 1, 3)}, NOT_PERMITTED),
    "scheduling of the guard": ({"x86_64": (144, 3), "aarch64": (119, 3)}, NOT_PERMITTED),
    "own scheduling": ({"x86_64": (144, 0), "aarch64": (119, 0)}, ALLOWED),
    "asking for the personality": ({"x86_64": (135, ASK), "aarch64": (92, ASK)}, ALLOWED),
    "addresses as written": ({"x86_64": (135, 0x40000), "aarch64": (92, 0x40000)}, NOT_PERMITTED),
    "open_tree_attr": ({"x86_64": (467,), "aarch64": (467,)}, NO_SUCH_CALL),
    "a call of the future": ({"x86_64": (999,), "aarch64": (999,)}, NO_SUCH_CALL),
}


def answer(program: bytes, architecture: int, number: int, *arguments: int) -> object:
    """What the kernel would do: the few instructions of BPF that the filter uses."""
    padded = (*arguments, 0, 0)[:2]
    data = struct.pack("=IIQQQ", number, architecture, 0, *padded)
    at, loaded = 0, 0
    checks: dict[int, Callable[[int, int], bool]] = {
        hardening.EQUAL: lambda a, b: a == b,
        hardening.AT_LEAST: lambda a, b: a >= b,
        hardening.ANY_BIT: lambda a, b: bool(a & b),
    }
    while True:
        code, yes, no, value = struct.unpack_from("HBBI", program, at * 8)
        at += 1
        if code == hardening.GIVE:
            return ALLOWED if value == hardening.PERMIT else value & 0xFFFF
        if code == hardening.LOAD:
            (loaded,) = struct.unpack_from("=I", data, value)
        else:
            at += yes if checks[code](loaded, value) else no


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("name", CALLS)
def test_the_filter_answers(name: str, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    calls, expected = CALLS[name]
    program = hardening.filter_program(PLAN)
    assert answer(program, ARCHITECTURES[machine], *calls[machine]) == expected


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_other_entries_are_shut(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    program = hardening.filter_program(PLAN)
    assert answer(program, 0x40000003, 20) == NOT_PERMITTED  # 32 bit
    assert answer(program, ARCHITECTURES[machine], 0x40000000) == NOT_PERMITTED  # x32


def test_memory_that_nobody_sees_is_denied_where_memory_is_only_watched() -> None:
    program = hardening.filter_program({"bounds": {"memory": 1}})
    memfd = {"x86_64": 319, "aarch64": 279}[os.uname().machine]
    assert answer(program, ARCHITECTURES[os.uname().machine], memfd) == NO_SUCH_CALL


def test_a_machine_without_a_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="sparc"))
    with pytest.raises(Refusal, match="sparc"):
        hardening.filter_program(PLAN)
