"""Notices at once when something lies in `tasks/` or when another process left a wish."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

STEP_MS = 10  # how often the watcher looks at what the kernel told it
READY_SECONDS = 3.0  # how long the start waits for the watcher to see its own probe
POLL_SECONDS = 1.0  # between two looks where the kernel gives no watches


class Inbox:
    """Calls `wake` from a thread whenever something changes in one of the folders.

    When the block begins the watch stands: what comes later is seen, what was there before is for
    the caller to look at. `probe` is a file in one of the folders, to find that out with.
    """

    def __init__(self, folders: list[Path], probe: Path, wake: Callable[[], None]) -> None:
        self._folders = folders
        self._probe = probe
        self._wake = wake
        self._seen = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for _ in range(int(READY_SECONDS / 0.05)):
            self._probe.write_bytes(b"")
            if self._seen.wait(0.05):
                break
        self._probe.unlink(missing_ok=True)
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._watch()
        except (OSError, RuntimeError):  # no watches left, or a folder went away: look regularly
            while not self._stop.wait(POLL_SECONDS):
                self._seen.set()
                self._wake()

    def _watch(self) -> None:
        from watchfiles import watch

        for _ in watch(
            *self._folders,
            watch_filter=None,
            debounce=STEP_MS,
            step=STEP_MS,
            stop_event=self._stop,
            rust_timeout=1000,
            yield_on_timeout=False,
            recursive=False,
        ):
            self._seen.set()
            self._wake()
