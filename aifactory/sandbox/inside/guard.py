"""The first program inside every cage: prove the confinement, harden it, run the command.

Its plan comes through standard input, which stays open as the lifeline: when it ends, everything
inside dies. It answers in lines of `key value` on the status pipe: `refused WHY`, or `ready FACTS`
and then `exit N` or `signal N`, with `killed WHY` before it when a bound was passed. It refuses
with exit status 125 before anything untrusted has run.
"""

# ruff: noqa: PTH103, PTH110 - starts for every command, and pathlib would cost as much as the rest

from __future__ import annotations

import os
import select

from aifactory.sandbox.inside.forward import start_forwarding
from aifactory.sandbox.inside.hardening import landlock_abi, limit, restrict_calls, restrict_paths
from aifactory.sandbox.inside.kernel import (
    SET_DUMPABLE,
    Refusal,
    control,
    libc,
    say,
    signal_all,
)
from aifactory.sandbox.inside.proof import prove
from aifactory.sandbox.inside.watch import SIGCONT, SIGSTOP, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aifactory.sandbox.inside.kernel import Plan

REFUSED = 125
POLL_MILLISECONDS = 50
SIGKILL, SIGPIPE, SIGXFSZ = 9, 13, 25  # the signal module would take longer than all else


def be_killed_first() -> None:
    """When memory runs out, the command goes before its guard and before the daemon."""
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("500")
    except PermissionError:
        pass  # the daemon's own is higher, and only root may lower it


def run_command(plan: Plan) -> None:
    """In the child: become what the command may be, then become the command."""
    os.setsid()
    source = plan["source"] or os.open("/dev/null", os.O_RDONLY)
    os.dup2(source, 0)
    os.close(source)
    os.closerange(3, plan["status"])
    os.set_inheritable(plan["status"], False)
    control(SET_DUMPABLE, 1, "cannot be seen in /proc")
    be_killed_first()
    os.chdir(plan["workspace"])
    os.umask(0o022)
    for ignored in (SIGPIPE, SIGXFSZ):  # Python ignores them, and a child would inherit that
        libc.signal(ignored, None)
    limit(plan)
    restrict_paths(plan)
    restrict_calls(plan)
    argv = plan["argv"]
    try:
        os.execvpe(argv[0], argv, plan["environment"])
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, (FileNotFoundError, NotADirectoryError)) else 126)


def make_home(home: str, path: str) -> None:
    """A home for this run; its `bin` has a `python` where the path has only a `python3`."""
    os.makedirs(f"{home}/bin", 0o700, exist_ok=True)
    found = [f"{directory}/python" for directory in path.split(":")]
    newer = [f"{name}3" for name in found if os.path.exists(f"{name}3")]
    if newer and not any(os.path.exists(name) for name in found):
        os.symlink(newer[0], f"{home}/bin/python")


def start(plan: Plan) -> int:
    make_home(plan["home"], plan["environment"]["PATH"])
    pid = os.fork()
    if pid:
        if plan["source"]:
            os.close(plan["source"])
        return pid
    try:
        run_command(plan)
    except BaseException as error:
        say(plan, "refused", f"{type(error).__name__}: {error}")
    os._exit(REFUSED)


def supervise(plan: Plan, pid: int) -> int:
    """Wait for the command; the lifeline's end or a bound that is passed kills everything."""
    child, watch = os.pidfd_open(pid), Watch(plan)
    poll = select.poll()
    poll.register(child, select.POLLIN)
    poll.register(0, select.POLLIN | select.POLLHUP)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll(POLL_MILLISECONDS)}
        words = os.read(0, 4096) if 0 in ready else b""
        if child in ready or (0 in ready and not words):
            break
        obey(plan, watch, words)
        if reason := watch.passed():
            say(plan, "killed", reason)
            break
    if child not in ready:
        signal_all(SIGKILL)
    status = os.waitpid(pid, 0)[1]
    signal_all(SIGKILL)
    return status


def obey(plan: Plan, watch: Watch, words: bytes) -> None:
    """The daemon's words: `h` holds everything still, `g` lets it go on."""
    for word in words.decode("ascii", "replace"):
        watch.holds = word == "h"
        signal_all(SIGSTOP if watch.holds else SIGCONT)
        if watch.holds:
            say(plan, "held", "still" if watch.still() else "nearly")


def report(plan: Plan, status: int) -> int:
    if os.WIFSIGNALED(status):
        say(plan, "signal", os.WTERMSIG(status))
        return 128 + os.WTERMSIG(status)
    say(plan, "exit", os.WEXITSTATUS(status))
    return os.WEXITSTATUS(status)


def main(plan: Plan) -> None:
    try:
        control(SET_DUMPABLE, 0, "cannot hide the guard's memory")
        prove(plan)
        if plan["proxy"]:
            start_forwarding(plan)
    except (Refusal, OSError, KeyError, ValueError) as error:
        os.write(2, f"guard: refused: {error}\n".encode())
        say(plan, "refused", error)
        os._exit(REFUSED)
    say(plan, "ready", f"landlock={landlock_abi()}")
    os._exit(report(plan, supervise(plan, start(plan))))
