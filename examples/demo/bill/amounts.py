"""Amounts as people write them, in cents."""

from __future__ import annotations


def parse(text: str) -> int:
    """The cents of an amount such as `12`, `12.5` or `12.50`."""
    return int(float(text) * 100)
