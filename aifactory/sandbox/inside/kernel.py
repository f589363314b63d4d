"""The kernel's own calls, and how the guard speaks to the daemon."""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Plan = dict[str, Any]  # as `guarded.guard_plan` makes it

NO_NEW_PRIVS, SET_DUMPABLE, SET_SECCOMP = 38, 4, 22

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Refusal(Exception):
    """The surroundings are not a cage, or cannot be made one."""


def say(plan: Plan, key: str, value: object) -> None:
    """Tell the daemon, on a pipe that the command never gets."""
    os.write(plan["status"], f"{key} {value}\n".encode())


def control(option: int, value: int, what: str) -> None:
    if libc.prctl(option, value, 0, 0, 0):
        raise Refusal(f"{what}: {os.strerror(ctypes.get_errno())}")


def signal_all(number: int) -> None:
    """Signal every process of this pid namespace, which was proven to be the cage's own."""
    try:  # noqa: SIM105 - the import would take longer than all else
        os.kill(-1, number)
    except ProcessLookupError:
        pass  # there is none but the guard
