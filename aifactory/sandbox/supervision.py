"""The daemon's side of one caged command: feed it, read it, and end it for sure."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from aifactory.errors import SandboxUnusable
from aifactory.sandbox.output import Output
from aifactory.sandbox.spec import Limits, Sink
from aifactory.sandbox.talk import Talk

GRACE_SECONDS = 3.0
END_SECONDS = 30.0  # what was killed may still wait for a slow disk
TICK_SECONDS = 0.2
CHUNK = 65_536
KilledBy = Literal["none", "deadline", "output", "memory", "disk", "shutdown"]
_BOUNDS: dict[str, KilledBy] = {"memory": "memory", "disk": "disk"}


@dataclass
class Ending:
    """How a cage ended: what the guard said and what the daemon had to do."""

    status: dict[str, str] = field(default_factory=dict)
    killed_by: KilledBy = "none"
    returncode: int | None = None
    seconds: float = 0.0


class Supervision:
    """One caged process and its pipes. Closing the lifeline makes the guard kill everything."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        status: int,
        parcels: bytes,
        talk: Talk | None = None,
    ) -> None:
        assert process.stdin and process.stdout  # both are pipes: `started` makes them
        self._process = process
        self._stdin = process.stdin
        self._pending = memoryview(parcels)
        self._status = bytearray()
        self._selector = selectors.DefaultSelector()
        os.set_blocking(self._stdin.fileno(), False)
        self._selector.register(self._stdin, selectors.EVENT_WRITE)
        self._selector.register(process.stdout, selectors.EVENT_READ, "stdout")
        if process.stderr:
            self._selector.register(process.stderr, selectors.EVENT_READ, "stderr")
        self._selector.register(status, selectors.EVENT_READ, "status")
        self._open = len(self._selector.get_map()) - 1
        self._status_end = status
        self._talk = talk
        self._lifeline = threading.Lock()  # orders come from another thread

    def order(self, word: bytes) -> None:
        """A word for the guard, once it is ready; lost on one that is gone."""
        with self._lifeline, contextlib.suppress(OSError):
            if not self._stdin.closed and not self._pending:
                os.write(self._stdin.fileno(), word)

    def follow(
        self, output: Output, limits: Limits, stop: threading.Event | None, sink: Sink | None
    ) -> Ending:
        """Read until every process of the cage has ended or was killed."""
        started, ending = time.monotonic(), Ending()
        try:
            while self._open:
                self._turn(output, sink)
                elapsed = time.monotonic() - started
                if ending.killed_by == "none":
                    ending.killed_by = _verdict(elapsed, output, limits, stop)
                    kill_at = elapsed + GRACE_SECONDS
                if ending.killed_by != "none":
                    self._cut()
                    if elapsed > kill_at:
                        self._kill()
                    if elapsed > kill_at + END_SECONDS:
                        raise SandboxUnusable("a killed cage does not end; see `ps`")
            self._cut()
            ending.returncode = self._process.wait(END_SECONDS)
        finally:
            self._close()
        ending.seconds = time.monotonic() - started
        ending.status = _lines(bytes(self._status))
        ending.killed_by = _BOUNDS.get(ending.status.get("killed", ""), ending.killed_by)
        return ending

    def _turn(self, output: Output, sink: Sink | None) -> None:
        for key, _ in self._selector.select(TICK_SECONDS):
            if key.fileobj is self._stdin:
                self._feed()
                continue
            data = os.read(key.fd, CHUNK)
            if not data:
                self._selector.unregister(key.fileobj)
                self._open -= 1
            elif key.data == "status":
                self._status += data
                if self._talk:
                    self._talk.note(bytes(self._status))
            else:
                output.add(data)
                if sink:
                    sink(key.data, data)

    def _feed(self) -> None:
        try:
            self._pending = self._pending[os.write(self._stdin.fileno(), self._pending) :]
        except BrokenPipeError:
            self._pending = self._pending[:0]
        if not self._pending:
            self._selector.unregister(self._stdin)

    def _cut(self) -> None:
        """Let go of the lifeline."""
        with self._lifeline:
            if self._stdin.closed:
                return
            if self._stdin in self._selector.get_map():
                self._selector.unregister(self._stdin)
            self._stdin.close()

    def _kill(self) -> None:
        """Without the guard's help: the backend's own process takes its pid namespace along."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _close(self) -> None:
        self._cut()
        if self._process.poll() is None:
            self._kill()
            self._process.wait()
        self._selector.close()
        os.close(self._status_end)
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()


def _verdict(
    elapsed: float, output: Output, limits: Limits, stop: threading.Event | None
) -> KilledBy:
    if stop is not None and stop.is_set():
        return "shutdown"
    if elapsed > limits.seconds:
        return "deadline"
    return "output" if output.bytes_seen > limits.output_cap else "none"


def _lines(status: bytes) -> dict[str, str]:
    lines = status.decode(errors="replace").splitlines()
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}


def started(
    line: list[str], environment: dict[str, str], kept: tuple[int, ...], *, separate: bool
) -> subprocess.Popen[bytes]:
    """Start a line in a session of its own, with three pipes and the descriptors `kept`."""
    return subprocess.Popen(
        line,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if separate else subprocess.STDOUT,
        pass_fds=kept,
        env=environment,
        cwd="/",
        start_new_session=True,
        umask=0o022,
    )
