"""How a command asks something of the daemon, and does it itself where none runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.requests import Verb

PATIENCE_SECONDS = 5.0  # a running daemon takes a wish at once; longer means that it is busy
POLL_SECONDS = 0.05


def post(place: Place, verb: Verb, wishes: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Leave a wish for each task with its data, and wait until they are taken."""
    from aifactory import auto_agent, requests
    from aifactory.errors import LockHeld
    from aifactory.pulse import pulse

    by = _user()
    paths = [requests.post(place.layout, verb, task_id, data, by) for task_id, data in wishes]
    if not pulse(place.layout).running:
        with suppress(LockHeld):  # a daemon started meanwhile: it takes the wish
            auto_agent.settle(place.layout.root)
    _await(paths)


def _await(paths: Sequence[Path]) -> None:
    """Wait until the wishes are taken, for a moment only."""
    from aifactory.cli.output import note

    end = time.monotonic() + PATIENCE_SECONDS
    while any(path.exists() for path in paths):
        if time.monotonic() > end:
            note("The daemon is busy; it does this when it next looks.")
            return
        time.sleep(POLL_SECONDS)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return ""
