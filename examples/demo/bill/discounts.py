"""What is taken off."""

from __future__ import annotations


def discounted(cents: int, percent: int) -> int:
    """The amount less `percent` of it, a half cent rounded up."""
    return cents - cents * percent
