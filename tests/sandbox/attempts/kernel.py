"""Calls that reach deep into the kernel: namespaces, mounts, tracing, machine state."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

from base import Lab, add, attempt, libc, reached

NAMESPACES = {"user": 0x10000000, "mount": 0x20000, "net": 0x40000000, "pid": 0x20000000,
              "ipc": 0x08000000, "uts": 0x04000000, "cgroup": 0x02000000}  # fmt: skip
BAD = ctypes.c_void_p(1)  # an address that no call can read
# Harmless where it succeeds: the arguments are invalid, and only the refusal tells.
CALLS = {
    "user": {
        "io-uring": (425, 1, BAD),
        "userfaultfd": (323, 1),
        "perf": (298, BAD, 0, -1, -1, 0),
        "request-key": (249, BAD, BAD, BAD, 0),
        "mount-setattr": (442, -1, b"", 0, BAD, 0),
        "ptrace-me": (101, 0, 0, 0, 0),
        "modify-ldt": (154, 17, BAD, 16),
        "memfd-secret": (447, 0),
        "vmsplice": (278, -1, BAD, 0, 9),
        "quota-by-descriptor": (443, -1, 0, 0, BAD),
        "security-attributes": (460, 0, BAD, 0, 9),
        "open-tree-attributes": (467, -1, b"", 0, BAD, 0),
    },
    "root": {
        "bpf": (321, 0, BAD, 0),
        "chroot": (161, b"/"),
        "setns": (308, -1, 0),
        "init-module": (175, BAD, 0, BAD),
        "finit-module": (313, -1, b"", 0),
        "delete-module": (176, b"no-such-module", 0),
        "kexec": (246, 0, 99, BAD, 0xFFFF),
        "reboot": (169, 1, 2, 3, 0),
        "swapon": (167, b"/no-such-file", 0),
        "swapoff": (168, b"/no-such-file"),
        "acct": (163, b"/no-such-file"),
        "settime": (227, 0, BAD),
        "adjust-time": (305, 0, BAD),
        "kernel-log": (103, 10, 0, 0),
        "handle": (304, -1, BAD, 0),
        "name-handle": (303, -1, BAD, BAD, BAD, 0),
        "quota": (179, 0x800002, 0, 0, BAD),
        "fanotify": (300, 0, 0),
        "pivot-root": (155, b"/no-such-dir", b"/no-such-dir"),
        "umount": (166, b"/no-such-dir", 0),
        "fsopen": (430, b"tmpfs", 0),
        "open-tree": (428, -100, b"/", 1),
        "move-mount": (429, -1, b"", -1, b"", 4),
        "iopl": (172, 0),
        "set-hostname": (170, BAD, 3),
    },
}


def call(name: str, arguments: tuple[object, ...], needs: str) -> None:
    add(f"call-{name}", lambda lab: reached(*arguments), needs)


for _needs, _calls in CALLS.items():
    for _name, _arguments in _calls.items():
        call(_name, _arguments, _needs)


def unshare(name: str, flag: int) -> None:
    def run(lab: Lab) -> object:
        return libc.unshare(NAMESPACES["user"] | flag) == 0 and "unshared"

    add(f"unshare-{name}", run)


for _name, _flag in NAMESPACES.items():
    unshare(_name, _flag)


@attempt()
def clone3_user_namespace(lab: Lab) -> object:
    arguments = struct.pack("Q" * 11, NAMESPACES["user"], 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
    buffer = ctypes.create_string_buffer(arguments, len(arguments))
    pid = libc.syscall(435, buffer, ctypes.c_size_t(len(arguments)))
    if pid == 0:
        os._exit(0)
    return pid > 0 and "cloned"


@attempt()
def clone_user_namespace(lab: Lab) -> object:
    pid = libc.syscall(56, NAMESPACES["user"] | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return pid > 0 and "cloned"


@attempt()
def nested_bubblewrap(lab: Lab) -> object:
    return os.system("bwrap --ro-bind / / true >/dev/null 2>&1") == 0 and "ran"


@attempt("root")
def mount_tmpfs(lab: Lab) -> object:
    target = Path(lab["workspace"], "mounted")
    target.mkdir(exist_ok=True)
    result = libc.mount(b"none", os.fsencode(target), b"tmpfs", 0, None)
    libc.umount2(os.fsencode(target), 2)
    return result == 0 and "mounted"


@attempt("root")
def bind_mount(lab: Lab) -> object:
    target = Path(lab["workspace"], "bound")
    target.mkdir(exist_ok=True)
    result = libc.mount(b"/proc", os.fsencode(target), None, 4096, None)
    libc.umount2(os.fsencode(target), 2)
    return result == 0 and "mounted"


@attempt("root")
def remount_writable(lab: Lab) -> object:
    return libc.mount(None, b"/", None, 32 | 4096, None) == 0 and "remounted"


@attempt("root")
def umount_covers(lab: Lab) -> object:
    results = [libc.umount2(path, 2) for path in (b"/tmp", b"/home", b"/etc", b"/var", b"/opt")]
    return any(result == 0 for result in results) or ctypes.get_errno() == 22


@attempt("root")
def read_process_registers(lab: Lab) -> object:
    return Path(f"/proc/{lab['pid']}/syscall").read_text()
