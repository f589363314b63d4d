"""Answers that end too early, and say nothing of it: `finish_reason` is `stop`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aifactory.edits import MemoryTree, apply, parse
from aifactory.errors import AifactoryError, AnswerUnusable
from tests.edits import rendering

_BEFORE = {
    "docs/guide.md": "# Guide\n\nRun `x`.\n\n- one\n",
    "pyproject.toml": '[project]\nname = "x"\n',
    "src/a.py": "import os\n\n\ndef f(a):\n    return a\n",
}
_AFTER = {
    "docs/guide.md": "# Guide\n\nRun `y`.\n\n- one\n- two\n",
    "pyproject.toml": '[project]\nname = "x"\nversion = "1"\n',
    "src/a.py": "import os\n\n\ndef f(a):\n    return a + 1\n",
}


def _files(count: int) -> dict[str, str]:
    """The tree with the changes of its first files only."""
    return _BEFORE | dict(sorted(_AFTER.items())[:count])


@pytest.mark.parametrize("format", ["whole", "search_replace", "udiff", "v4a", "json"])
def test_an_answer_that_ends_anywhere_but_between_files_is_refused(format: str) -> None:
    render: Callable[..., str] = getattr(rendering, "json_edits" if format == "json" else format)
    answer = render(_BEFORE, _AFTER)
    complete = {render(_BEFORE, _files(count)).rstrip() for count in (1, 2, 3)}
    tree = MemoryTree({path: text.encode() for path, text in _BEFORE.items()})
    cuts = [at for at in range(len(answer)) if answer[:at].rstrip() not in complete]
    assert len(cuts) > len(answer) - 20
    for at in cuts:
        with pytest.raises(AifactoryError):
            apply(parse(answer[:at], format=format), tree)


@pytest.mark.parametrize("end", ["Done.", "Done", "ok", "That is all that has to change", "- a.\n"])
def test_words_behind_the_edits_are_no_beginning_of_a_name(end: str) -> None:
    for render in (rendering.whole, rendering.search_replace):
        assert len(parse(render(_BEFORE, _AFTER) + f"\n{end}").steps) == 3


def test_a_fence_among_the_lines_of_a_hunk_does_not_end_it() -> None:
    old, new = "Text.\n\n```js\nlet a\n```\n", "Text.\n\n```js\nlet b\n```\n"
    diff = "--- a/R.md\n+++ b/R.md\n@@ -1,5 +1,5 @@\nText.\n\n```js\n-let a\n+let b\n ```\n"
    for answer in (f"````diff\n{diff}````\n", f"```diff\n{diff}```\n", diff):
        assert apply(parse(answer), MemoryTree({"R.md": old.encode()})) == {"R.md": new.encode()}


def test_a_hunk_that_changes_nothing_is_refused() -> None:
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n@@ -8,2 +8,2 @@\n u\n v\n"
    with pytest.raises(AnswerUnusable, match="hunk 2 neither removes nor adds a line"):
        parse(diff)


_RENAME = (
    "diff --git a/my a.py b/src/my b.py\nsimilarity index 100%\nrename from {}\nrename to {}\n"
)


@pytest.mark.parametrize("prefixes", [("", ""), ("a/", "b/")])
def test_a_renamed_file_is_named_twice(prefixes: tuple[str, str]) -> None:
    before, after = prefixes
    tree = MemoryTree({"my a.py": b"x\n"})
    answer = _RENAME.format(f"{before}my a.py", f"{after}src/my b.py")
    assert apply(parse(answer), tree) == {"my a.py": None, "src/my b.py": b"x\n"}


def test_a_renamed_file_whose_new_name_is_cut_off() -> None:
    answer = "diff --git a/a.py b/src/b.py\nrename from a.py\nrename to src/b"
    with pytest.raises(AnswerUnusable, match="names the renamed file in two ways"):
        parse(answer)
