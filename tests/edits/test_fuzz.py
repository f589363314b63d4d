"""Any answer at all is applied or refused, within bounds, and never reaches out of the tree."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aifactory.edits import MemoryTree, apply, parse
from aifactory.errors import AttemptFailed
from aifactory.paths import refusal

_FILES = {
    "a.py": b"x = 1\n" * 2_000,
    "b.py": b"".join(b"line %d\n" % at for at in range(2_000)),
    "c.txt": b"\xef\xbb\xbfcaf\xe9\r\nlone\rcr\n\xff",
}
_PIECES = [
    "a.py\n", "b.py\n", "../x\n", "/etc/passwd\n", "```\n", "````md\n", "```py:b.py\n", "~~~\n",
    "<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "x = 1\n", "line 7\n", "line 8\n",
    "...\n",
    "*** Begin Patch\n", "*** Update File: b.py\n", "*** Add File: .git/x\n",
    "*** Delete File: a.py\n",
    "*** Move to: c/../../d\n", "*** End of File\n", "*** End Patch\n", "@@\n", "@@ -1,2 +1,3 @@\n",
    "@@ line 5\n", " line 7\n", "-line 8\n", "+new\n", "+\ud800\n",
    "\\ No newline at end of file\n",
    "diff --git a/b.py b/b.py\n", "--- a/b.py\n", "+++ b/b.py\n", "rename to q\n", "\r", "\n", "\0",
    '{"edits": [', '{"op": "replace", "path": "b.py", "old": "line 7", "new": "q"}', "]}", ",",
    '{"writes": [{"path": "a.py", "content": "\\ud800"}]}', "\ufeff", "\ufffd", "\udce9",
]  # fmt: skip
_ANSWERS = st.one_of(
    st.text(max_size=300),
    st.binary(max_size=300).map(lambda data: data.decode("utf-8", "surrogateescape")),
    st.lists(st.sampled_from(_PIECES), max_size=40).map("".join),
)
_FORMATS = ["auto", "whole", "search_replace", "udiff", "v4a", "json"]


@settings(max_examples=300, deadline=None)
@given(answer=_ANSWERS, format=st.sampled_from(_FORMATS))
def test_any_answer_is_applied_or_refused(answer: str, format: str) -> None:
    try:
        changes = apply(parse(answer, format=format), MemoryTree(_FILES, {"c": "/etc"}))
    except AttemptFailed as refused:
        assert refused.message
    else:
        assert all(refusal(path) is None for path in changes)
        assert all(data != _FILES.get(path) for path, data in changes.items())


@pytest.mark.parametrize(
    "piece",
    [
        "\n", " ", "`", "```\n", "a.py\n```\n", "@@ -1 +1 @@\n", "@@\n", "-\n", "<<<<<<< SEARCH\n",
        "=======\n", "{", "{\n", "[", '"', "\\", "*** Update File: a.py\n", "\r", "...\n", "> ",
        "*",
        "a.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n", '{"a":"\\', "\u2026",
        "diff --git a/x b/x\n",
    ],
)  # fmt: skip
def test_time_is_bounded_whatever_repeats(piece: str) -> None:
    """CPU seconds for a quarter of a megabyte; the bound leaves room for a slow machine."""
    answer = (piece * (2**18 // len(piece) + 1))[: 2**18]
    started = time.process_time()
    for format in ("auto", "json"):
        try:
            apply(parse(answer, format=format), MemoryTree(_FILES))
        except AttemptFailed:
            continue
    assert time.process_time() - started < 6


_LINES = [f"line {at % 5_000}" for at in range(20_000)]
_BIG = {"same": b"x = 1\n" * 20_000, "few": "".join(f"{line}\n" for line in _LINES).encode()}


def _worst(path: str) -> list[str]:
    """Answers of a quarter of a megabyte that must be searched for, in vain or all over a file."""
    lines = _BIG[path].decode().split("\n")
    names = f"--- a/{path}\n+++ b/{path}\n"
    hunk = f"@@ -1,2 +1,2 @@\n {lines[0]}\n-{lines[1]}\n+new\n"
    missing = "".join(f"@@ -{at},1 +{at},1 @@\n-no {at}\n+new\n" for at in range(6_000))
    half = "\n".join(lines[:10_000])
    edit = {"op": "replace", "path": path, "old": lines[0], "new": "new"}
    return [
        names + hunk * 6_000,
        names + missing,
        f"{path}\n<<<<<<< SEARCH\n{half}\nno\n=======\n{half}\n>>>>>>> REPLACE\n",
        f"{path}\n```\n" + "\n".join(lines[::-1]) + "\n```\n",
        json.dumps({"edits": [edit] * 4_000}),
        '{"edits": [{"op": "delete", "path": "no"}]}\n' * 6_000,
        '{"edits":' + "[" * 100_000 + "]" * 100_000 + "}",
    ]


@pytest.mark.parametrize("path", _BIG)
@pytest.mark.parametrize("number", range(7))
def test_time_is_bounded_whatever_must_be_searched(path: str, number: int) -> None:
    answer = _worst(path)[number]
    started = time.process_time()
    with contextlib.suppress(AttemptFailed):
        apply(parse(answer), MemoryTree(_BIG))
    assert time.process_time() - started < 15


_BLANK = b"\n" * 200_000


@pytest.mark.parametrize(
    "answer",
    [
        "blank\n```\n" + "\n" * 1_000_000 + "```\n",
        "blank\n<<<<<<< SEARCH\n" + "\n" * 1_000_000 + "=======\nx\n>>>>>>> REPLACE\n",
        "--- a/blank\n+++ b/blank\n@@ -1,9 +1,9 @@\n" + " \n" * 500_000,
        "".join(f"{at}.py\n```\nx\n```\n" for at in range(50_000)),
    ],
    ids=["whole", "search_replace", "udiff", "many_files"],
)
def test_a_megabyte_of_nothing_is_refused_at_once(answer: str) -> None:
    started = time.process_time()
    with pytest.raises(AttemptFailed):
        apply(parse(answer), MemoryTree({"blank": _BLANK}))
    assert time.process_time() - started < 6
