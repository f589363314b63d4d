"""Who pays what."""

from __future__ import annotations


def split(cents: int, people: int) -> list[int]:
    """What each of `people` pays, the larger shares first."""
    raise NotImplementedError
