"""Any change of any tree, rendered without a slip, comes back exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aifactory.edits import MemoryTree, apply, parse
from aifactory.edits.elisions import elides
from aifactory.edits.likeness import KEYS, Level, indent
from tests.edits import rendering

_PATHS = ["a.py", "src/b.c", "docs/ä ö/你好.md", "AUTHORS", "x/.hidden", "b/deep/er/file.tar.gz"]
_ENDS = ["\n", "\r\n"]
_MARKS = ("<<<<<<<", "=======", ">>>>>>>", "***", "@@", "```", "~~~", "diff --git")

_LINE = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r\ufffd"), max_size=12),
    st.sampled_from(
        ["", "}", "    return x", "x\t", "``", "# --- a/x", "+++ b", "-- x", "é\x0c\x85\u2028"]
    ),
    st.integers(1, 9).map(lambda n: f"long {n} " + "x" * 500),
).filter(
    lambda line: (
        "\t" not in indent(line) and not elides(line) and not line.strip().startswith(_MARKS)
    )
)


@st.composite
def _changes(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    """Two trees of the same lines: one file has one kind of line end, or none at its end."""
    pool = draw(st.lists(_LINE, min_size=3, max_size=12, unique_by=KEYS[Level.BYTES]))
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for path in draw(st.lists(st.sampled_from(_PATHS), min_size=1, max_size=3, unique=True)):
        end = draw(st.sampled_from(_ENDS))
        text = st.lists(st.sampled_from(pool), max_size=14).map(
            lambda lines, end=end: "".join(line + end for line in lines)
        )
        if draw(st.booleans()):
            before[path] = draw(text)
        if path not in before or draw(st.integers(0, 9)):
            after[path] = draw(text)
    assume(before != after)
    return before, after


def _applied(answer: str, before: dict[str, str], format: str) -> dict[str, str]:
    tree = {path: text.encode() for path, text in before.items()}
    result = {**tree, **apply(parse(answer, format=format), MemoryTree(tree))}
    return {path: data.decode() for path, data in result.items() if data is not None}


@pytest.mark.parametrize("format", ["whole", "search_replace", "udiff", "v4a", "json", "auto"])
@settings(max_examples=40, deadline=None)
@given(trees=_changes())
def test_a_change_comes_back_exactly(
    format: str, trees: tuple[dict[str, str], dict[str, str]]
) -> None:
    before, after = trees
    name = "udiff" if format == "auto" else format
    if name in ("whole", "search_replace"):  # these cannot delete
        after = {**before, **after}
    assume(before != after)
    render: Callable[..., str] = getattr(rendering, "json_edits" if name == "json" else name)
    assert _applied(render(before, after), before, format) == after


@pytest.mark.parametrize("format", ["udiff", "json"])
@settings(max_examples=25, deadline=None)
@given(trees=_changes(), open_ends=st.tuples(st.booleans(), st.booleans()))
def test_a_missing_newline_at_the_end_comes_back(
    format: str,
    trees: tuple[dict[str, str], dict[str, str]],
    open_ends: tuple[bool, bool],
) -> None:
    before, after = (
        {path: text.removesuffix("\n") if open_end else text for path, text in tree.items()}
        for tree, open_end in zip(trees, open_ends, strict=True)
    )
    assume(before != after and "\r" not in "".join([*before.values(), *after.values()]))
    render: Callable[..., str] = getattr(rendering, "json_edits" if format == "json" else format)
    assert _applied(render(before, after), before, format) == after
