"""When a call is tried again, how long is waited, and when a provider is left alone for a while.

Pure: time and luck are given by the caller.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a transient failure is worth another try."""

    tries: int = 6
    tries_before_fallback: int = 2  # for a model that has another one behind it
    seconds: float = 900.0  # no try starts later than this after the first
    first_delay: float = 1.0
    longest_delay: float = 60.0

    def delay(self, failed: int, retry_after: float | None, luck: float) -> float:
        """Seconds to wait after the `failed`-th failure in a row; `luck` is from [0, 1).

        Doubles each time, half of it at random, so that many calls do not come back at once. The
        provider's own wish is never undercut.
        """
        longest = min(self.longest_delay, self.first_delay * 2.0 ** (failed - 1))
        backoff = longest * (0.5 + luck / 2)
        return backoff if retry_after is None else max(backoff, retry_after + luck)


@dataclass
class _Circuit:
    failures: int = 0
    pause: float = 0.0
    open_until: float = 0.0
    probing: bool = False


class Breaker:
    """Leaves a provider alone after failures in a row. Thread-safe; times are seconds."""

    def __init__(
        self, *, failures: int = 5, first_pause: float = 15.0, longest_pause: float = 240.0
    ) -> None:
        self._failures = failures
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._circuits: dict[str, _Circuit] = {}
        self._lock = threading.Lock()

    def wait(self, provider: str, now: float) -> float:
        """Seconds until a call may go; 0: now. After a pause one call goes first, as a probe."""
        with self._lock:
            circuit = self._circuits.setdefault(provider, _Circuit())
            if circuit.failures < self._failures:
                return 0.0
            if now < circuit.open_until:
                return circuit.open_until - now
            circuit.probing, circuit.open_until = True, now + circuit.pause
            return 0.0

    def succeeded(self, provider: str) -> None:
        with self._lock:
            self._circuits[provider] = _Circuit()

    def failed(self, provider: str, now: float) -> None:
        with self._lock:
            circuit = self._circuits.setdefault(provider, _Circuit())
            circuit.failures += 1
            late = now < circuit.open_until and not circuit.probing  # sent before the pause
            if circuit.failures >= self._failures and not late:
                doubled = min(circuit.pause * 2, self._longest_pause)
                circuit.pause = max(doubled, self._first_pause)
                circuit.probing, circuit.open_until = False, now + circuit.pause
