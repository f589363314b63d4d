"""Processes: the daemon's and other people's memory, environment, signals; privileges."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import subprocess
from pathlib import Path

from base import Lab, attempt, libc, reached

PTRACE_SEIZE = 0x4206


@attempt()
def read_host_environment(lab: Lab) -> object:
    return lab["token"].encode() in Path(f"/proc/{lab['pid']}/environ").read_bytes()


@attempt()
def find_token_in_any_environment(lab: Lab) -> object:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if lab["token"].encode() in (process / "environ").read_bytes():
                return process.name
        except OSError:
            continue
    return ""


@attempt()
def see_host_command_lines(lab: Lab) -> object:
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    return any(b"host-of-the-lab" in line for line in lines)


@attempt()
def read_host_memory(lab: Lab) -> object:
    maps = Path(f"/proc/{lab['pid']}/maps").read_text().splitlines()
    start = int(next(line for line in maps if "[heap]" in line).split("-")[0], 16)
    with open(f"/proc/{lab['pid']}/mem", "rb", 0) as memory:
        memory.seek(start)
        return len(memory.read(16))


@attempt()
def walk_host_root(lab: Lab) -> object:
    return lab["token"] in Path(f"/proc/{lab['pid']}/root{lab['places']['tmp']}/secret").read_text()


@attempt()
def walk_host_directory(lab: Lab) -> object:
    return lab["token"] in Path(f"/proc/{lab['pid']}/cwd/secret").read_text()


@attempt()
def take_host_descriptor(lab: Lab) -> object:
    held = [path for path in Path(f"/proc/{lab['pid']}/fd").iterdir() if path.is_file()]
    return any(lab["token"].encode() in path.read_bytes() for path in held)


@attempt()
def inherit_descriptor(lab: Lab) -> object:
    for number in range(3, 200):
        try:
            if lab["token"].encode() in os.pread(number, 200, 0):
                return number
        except OSError:
            continue
    return ""


@attempt()
def signal_host_process(lab: Lab) -> object:
    os.kill(lab["pid"], signal.SIGCONT)
    return "signalled"


@attempt()
def trace_host_process(lab: Lab) -> object:
    return libc.ptrace(PTRACE_SEIZE, lab["pid"], 0, 0) == 0 and "traced"


@attempt()
def read_across_processes(lab: Lab) -> object:
    maps = Path(f"/proc/{lab['pid']}/maps").read_text().splitlines()
    start = int(next(line for line in maps if "[heap]" in line).split("-")[0], 16)
    buffer = ctypes.create_string_buffer(16)
    here = struct.pack("QQ", ctypes.addressof(buffer), 16)
    there = struct.pack("QQ", start, 16)
    return libc.syscall(310, lab["pid"], here, 1, there, 1, 0) == 16


@attempt()
def steal_descriptor(lab: Lab) -> object:
    handle = os.pidfd_open(lab["pid"])
    return libc.syscall(438, handle, 1, 0) >= 0 and "stolen"


@attempt()
def renice_host_process(lab: Lab) -> object:
    os.setpriority(os.PRIO_PROCESS, lab["pid"], 19)
    return "reniced"


@attempt()
def limit_host_process(lab: Lab) -> object:
    return resource.prlimit(lab["pid"], resource.RLIMIT_CORE)


@attempt()
def limit_guard(lab: Lab) -> object:
    """Without descriptors it could not watch, without processor time it would be killed."""
    held = resource.prlimit(lab["parent"], resource.RLIMIT_NOFILE)
    resource.prlimit(lab["parent"], resource.RLIMIT_NOFILE, held)
    return "limited"


@attempt()
def renice_guard(lab: Lab) -> object:
    os.setpriority(os.PRIO_PROCESS, lab["parent"], 19)
    return "reniced"


@attempt()
def renice_everything_of_the_user(lab: Lab) -> object:
    os.setpriority(os.PRIO_USER, 0, 19)
    return "reniced"


@attempt()
def let_guard_run_when_idle(lab: Lab) -> object:
    os.sched_setscheduler(lab["parent"], os.SCHED_IDLE, os.sched_param(0))
    return "idle"


@attempt()
def let_guard_wait_for_the_disk(lab: Lab) -> object:
    return libc.syscall(251, 1, lab["parent"], 3 << 13) == 0 and "ioprio_set"


@attempt()
def limit_first_process(lab: Lab) -> object:
    """Outside it is one of the same user's."""
    first = lab["pid"] if lab["parent"] == lab["pid"] else 1
    resource.prlimit(first, resource.RLIMIT_NOFILE, resource.prlimit(first, resource.RLIMIT_NOFILE))
    return "limited"


@attempt()
def switch_off_random_addresses(lab: Lab) -> object:
    return libc.personality(0x0040000) >= 0 and libc.personality(0xFFFFFFFF) & 0x0040000


@attempt()
def read_guard_memory(lab: Lab) -> object:
    with open(f"/proc/{lab['parent']}/mem", "rb", 0):
        return "opened"


@attempt()
def trace_parent(lab: Lab) -> object:
    return libc.ptrace(PTRACE_SEIZE, os.getppid(), 0, 0) == 0 and "traced"


@attempt()
def own_environment_is_the_daemons(lab: Lab) -> object:
    return lab["token"] in str(os.environ)


@attempt("root")
def have_capabilities(lab: Lab) -> object:
    status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines()
                  if ":\t" in line)  # fmt: skip
    return any(int(status[f"Cap{kind}"], 16) for kind in ("Prm", "Eff", "Bnd"))


@attempt()
def have_new_privileges(lab: Lab) -> object:
    return "NoNewPrivs:\t0" in Path("/proc/self/status").read_text()


@attempt()
def have_no_filter(lab: Lab) -> object:
    return "Seccomp:\t0" in Path("/proc/self/status").read_text()


@attempt("root")
def become_root(lab: Lab) -> object:
    os.setuid(0)
    return os.getuid() == 0 and "root"


@attempt()
def run_setuid_program(lab: Lab) -> object:
    return subprocess.run([lab["setuid"], "-u"], capture_output=True).stdout.strip() == b"0"


@attempt()
def list_guard_descriptors(lab: Lab) -> object:
    return os.listdir(f"/proc/{lab['parent']}/fd")


@attempt()
def stop_guard(lab: Lab) -> object:
    os.kill(lab["parent"], signal.SIGCONT)
    return "signalled"


def raise_limit(kind: int) -> object:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (hard, hard))
    return hard if hard == resource.RLIM_INFINITY else ""


@attempt()
def have_unlimited_processes(lab: Lab) -> object:
    return resource.getrlimit(resource.RLIMIT_NPROC)[1] > 5000


@attempt()
def have_unlimited_file_size(lab: Lab) -> object:
    return raise_limit(resource.RLIMIT_FSIZE)


@attempt()
def leave_core_dumps(lab: Lab) -> object:
    return raise_limit(resource.RLIMIT_CORE)


@attempt("root")
def raise_open_files(lab: Lab) -> object:
    resource.setrlimit(resource.RLIMIT_NOFILE, (10**6, 10**6))
    return "raised"


@attempt("root")
def raise_priority(lab: Lab) -> object:
    os.setpriority(os.PRIO_PROCESS, 0, -10)
    return "raised"


@attempt("root")
def spare_from_memory_killer(lab: Lab) -> object:
    Path("/proc/self/oom_score_adj").write_text("-500")
    return "spared"


@attempt()
def run_32_bit_calls(lab: Lab) -> object:
    import mmap

    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)() == os.getpid()


@attempt()
def compare_processes(lab: Lab) -> object:
    return reached(312, os.getpid(), os.getpid(), 0, 0, 0)
