"""How much work an answer may make: counted in steps, so that it always ends in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aifactory.errors import EditRefused

MOST = 20_000_000
"""Steps of about 50 nanoseconds. A hundred edits of a file of 10,000 lines take under a third."""

_left: ContextVar[list[int] | None] = ContextVar("steps left", default=None)


@contextmanager
def bounded(most: int = MOST) -> Iterator[None]:
    """In the block, `spend` raises once all steps are spent."""
    before = _left.set([most])
    try:
        yield
    finally:
        _left.reset(before)


def spend(steps: int) -> None:
    """Count work that grows faster than the answer. Raises EditRefused if it is too much."""
    left = _left.get()
    if left is None:
        return
    left[0] -= steps
    if left[0] < 0:
        raise EditRefused(
            "the answer has too many edits, or too long ones, for files of this size",
            next_step="give fewer edits in one answer, or the full text of a file",
        )
