"""Two changes of one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory.edits.merge import Conflict, merge

_TEXT = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n", "\n"]), max_size=12).map("".join)


@given(base=_TEXT, other=_TEXT)
def test_one_side_alone_wins_and_equal_sides_agree(base: str, other: str) -> None:
    assert (
        merge(base, other, base) == merge(base, base, other) == merge(base, other, other) == other
    )


@given(base=_TEXT, ours=_TEXT, theirs=_TEXT)
def test_sides_may_be_swapped(base: str, ours: str, theirs: str) -> None:
    def attempt(first: str, second: str) -> str | None:
        try:
            return merge(base, first, second)
        except Conflict:
            return None

    assert attempt(ours, theirs) == attempt(theirs, ours)


def test_neighbours_merge_and_the_same_line_does_not() -> None:
    assert merge("a\nb\nc\n", "A\nb\nc\n", "a\nB\nc\n") == "A\nB\nc\n"
    with pytest.raises(Conflict, match="line 2"):
        merge("a\nb\nc\n", "a\nX\nc\n", "a\nY\nc\n")
    with pytest.raises(Conflict):
        merge("a\nb\n", "a\nX\nb\n", "a\nY\nb\n")


def test_a_file_that_ends_without_a_newline_on_one_side_does_not_go_on_in_that_line() -> None:
    with pytest.raises(Conflict, match="line 2"):
        merge("a\nb\n", "a\nb", "a\nb\nc\n")
    with pytest.raises(Conflict, match="line 2"):
        merge("a\nb\n", "a\nb\nc\n", "A\nb")
    assert merge("a\nb", "a\nb\nc\n", "A\nb") == "A\nb\nc\n"
    assert merge("a\nb\n", "a\nb", "A\nb\n") == "A\nb"


def test_other_line_ends_of_one_side_are_not_mixed_with_new_lines_of_the_other() -> None:
    with pytest.raises(Conflict, match="lines 1 to 2"):
        merge("a\nb\n", "a\r\nb\r\n", "a\nb\nc\n")
    assert merge("a\r\nb\n", "A\r\nb\n", "a\r\nb\nc\n") == "A\r\nb\nc\n"


def test_a_line_inserted_beside_lines_that_go_is_a_conflict() -> None:
    base, without = "a\nb\nc\nd\n", "a\nd\n"
    with pytest.raises(Conflict):
        merge(base, "a\nX\nb\nc\nd\n", without)
    assert merge(base, "a\nb\nX\nc\nd\n", "a\nB\nc\nd\n") == "a\nB\nX\nc\nd\n"
