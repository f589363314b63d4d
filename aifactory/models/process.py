"""The daemon's side of the model host: one child process, started when it is first needed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any

from aifactory.layout import PACKAGE

POLL_SECONDS = 0.1
CLOSING_SECONDS = 2.0
Message = dict[str, Any]
# Keys come from the environment only, prices from the installed package only, and nobody is told.
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",  # in any other mode LiteLLM reads .env files
    "REPEATED_STREAMING_CHUNK_LIMIT": "1000000000",  # a long rule of dashes is no broken model
    "DEFAULT_ANTHROPIC_CHAT_MAX_TOKENS": "16384",  # that API wants a limit; 4096 cuts files short
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")  # never by a proxy


class HostProcess:
    """One started model host and the calls it works on. Thread-safe; dead once and for all."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.ready = threading.Event()  # set when LiteLLM is imported, or when the host is gone
        self.gone = threading.Event()
        self.served = False  # whether it ever was ready
        self._inboxes: dict[str, SimpleQueue[Message]] = {}
        self._outbox: SimpleQueue[str | None] = SimpleQueue()
        self._stderr: deque[str] = deque(maxlen=40)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "aifactory.models.host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(environment),
            cwd="/",
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is the daemon's to handle
        )
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._read, self._write, self._listen)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def last_words(self) -> str:
        """The end of what the host wrote to stderr."""
        return "".join(self._stderr)

    def send(self, message: Message) -> None:
        """Never blocks, not even on a host that hangs; one that is gone is noticed by `receive`."""
        self._outbox.put(json.dumps(message) + "\n")

    def open(self, call_id: str) -> SimpleQueue[Message]:
        """The inbox in which a call's messages arrive, `{"event": "gone"}` if the host ends."""
        inbox = self._inboxes[call_id] = SimpleQueue()
        if self.gone.is_set():
            inbox.put({"event": "gone"})
        return inbox

    def forget(self, call_id: str) -> None:
        self._inboxes.pop(call_id, None)

    def kill(self) -> None:
        """Ends the host now, with whatever it is doing."""
        self._process.kill()
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Closes the host's stdin, which ends it; kills it if it does not listen."""
        self._outbox.put(None)
        self.gone.wait(CLOSING_SECONDS)
        self.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError):
                    self._deliver(json.loads(line))
        self._process.wait()
        self._outbox.put(None)
        self.gone.set()
        self.ready.set()
        for inbox in list(self._inboxes.values()):
            inbox.put({"event": "gone"})

    def _deliver(self, message: Message) -> None:
        if message["event"] == "ready":
            self.served = True
            self.ready.set()
        elif inbox := self._inboxes.get(message["id"]):
            inbox.put(message)

    def _write(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._process.stdin as pipe:
            while (line := self._outbox.get()) is not None:
                pipe.write(line)
                pipe.flush()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            self._stderr.extend(lines)


def receive(inbox: SimpleQueue[Message], deadline: float, stop: threading.Event) -> Message | None:
    """The next message; None once `stop` is set or the monotonic `deadline` has passed."""
    while not stop.is_set() and (left := deadline - time.monotonic()) > 0:
        with contextlib.suppress(Empty):
            return inbox.get(timeout=min(POLL_SECONDS, left))
    return None


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The host's: our package first on its path, the providers' keys and proxies as they are."""
    paths = [str(PACKAGE.parent), *filter(None, [environment.get("PYTHONPATH")])]
    direct = environment.get("no_proxy") or environment.get("NO_PROXY")
    no_proxy = ",".join([*filter(None, [direct]), *LOOPBACK])
    ours = {"PYTHONPATH": os.pathsep.join(paths), "NO_PROXY": no_proxy, "no_proxy": no_proxy}
    return {**environment, **QUIET, **ours}
