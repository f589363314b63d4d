"""A scratch place in memory, for modules in whose tests nothing has to last and no cage is real.

Syncs cost nothing there; a cage does not reach it. A module takes it by importing `scratch`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import temporary

MEMORY = Path("/dev/shm")
ENOUGH = 512 << 20  # bytes; a container may have next to nothing


def place() -> Path | None:
    """Where it is in memory; None where there is none or too little of it."""
    if not MEMORY.is_dir():
        return None
    found = os.statvfs(MEMORY)
    return MEMORY if found.f_bavail * found.f_frsize > ENOUGH else None


@pytest.fixture
def scratch() -> Iterator[Path]:
    yield from temporary(place())
