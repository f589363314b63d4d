"""What every attempt has: a name, what it needs to succeed outside, and a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Lab = dict[str, Any]  # what `lab.py` planted, as JSON
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


@dataclass(frozen=True)
class Attempt:
    """`run(lab)` returns what it got, or nothing; `needs` is who can do it without a cage."""

    name: str
    run: Callable[[Lab], object]
    needs: str


ATTEMPTS: dict[str, Attempt] = {}


def add(name: str, run: Callable[[Lab], object], needs: str = "user") -> None:
    assert name not in ATTEMPTS
    ATTEMPTS[name] = Attempt(name, run, needs)


def attempt(needs: str = "user") -> Callable[[Callable[[Lab], object]], Callable[[Lab], object]]:
    def register(run: Callable[[Lab], object]) -> Callable[[Lab], object]:
        add(run.__name__.replace("_", "-"), run, needs)
        return run

    return register


def made_it(name: str, lab: Lab, seconds: int = 10) -> str:
    """Try in a child, so that no attempt can hang or spoil the next; what it got, or ""."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(seconds)
        with contextlib.suppress(BaseException):
            os.write(writer, str(ATTEMPTS[name].run(lab) or "").encode()[:200])
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader, "rb") as pipe:
        return pipe.read(200).decode(errors="replace")


def reached(number: int, *arguments: Any) -> str:
    """Whether a system call got past every filter: anything but a refusal counts."""
    result = libc.syscall(number, *arguments)
    error = ctypes.get_errno() if result < 0 else 0
    return "" if error in (1, 13, 38, 97) else f"the kernel took call {number}: {error}"
