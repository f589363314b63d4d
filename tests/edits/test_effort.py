"""Answers made to take long are read, placed or refused in about a second; each took from three
seconds to for ever once, or broke what read it. The bounds leave room for a slow machine.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Iterable

import pytest

from aifactory.edits import MemoryTree, apply, parse
from aifactory.errors import AttemptFailed, EditRefused


def _whole(body: str) -> str:
    return f"a.py\n```\n{body}```\n"


def _diff(body: str) -> str:
    return f"--- a/a.py\n+++ b/a.py\n{body}"


def _v4a(body: str) -> str:
    return f"*** Begin Patch\n{body}*** End Patch\n"


_HOSTILE = {
    "marks of comments": _whole(";" * 70 + " x\n"),
    "spaces behind a fence": "a.py\n```" + " " * 100_000 + "x`\nx\n```\n",
    "fences of many lengths": "".join(
        f"{'`' * at}a.py\nx\n{'`' * at}\n" for at in range(500, 3, -1)
    )
    + "```\n" * 25_000,
    "quotes of JSON": json.dumps({"writes": [{"path": "a.py", "content": '\\"' + "a" * 100_000}]}),
    "dots before a path": json.dumps({"writes": [{"path": "./" * 490_000 + "a", "content": "x"}]}),
    "blank lines behind hunks": _diff("@@ -1 +1 @@\n-x\n+y\n" * 8_000 + "\n" * 25_000),
    "blank lines of a new file": _v4a("*** Add File: b\n+x\n" + "\n" * 49_000),
    "blank lines before a hunk": _v4a("*** Update File: a.py\n" + "\n" * 49_000 + "@@\n-x\n+y\n"),
    "digits of a hunk": _diff(f"@@ -{'1' * 5_000} +1 @@\n-x = 1\n+y\n"),
    "digits of lines": _whole(f"{'1' * 5_000}| x\n" * 3),
}


@pytest.mark.parametrize("answer", _HOSTILE.values(), ids=_HOSTILE)
def test_what_is_slow_to_read_is_read_at_once(answer: str) -> None:
    started = time.process_time()
    with contextlib.suppress(AttemptFailed):
        apply(parse(answer), MemoryTree({"a.py": b"x = 1\n"}))
    assert time.process_time() - started < 1.2


_NAMED = "".join(f"    value_{at} = 1\n" for at in range(10_000))
_ROWS = _NAMED.splitlines()


def _search_replace(pairs: Iterable[tuple[str, str]]) -> str:
    blocks = [f"<<<<<<< SEARCH\n{a}\n=======\n{b}\n>>>>>>> REPLACE\n" for a, b in pairs]
    return "a.py\n" + "".join(blocks)


def _tangled(count: int, between: str) -> str:
    """Lines of which one becomes unique each time that the one before is taken away."""
    return "".join(f"e{at + 1}\ne{at}\n{between.format(at)}" for at in range(count))


def _alike(seed: int, count: int) -> list[str]:
    """Long lines of two letters."""
    numbers = random.Random(seed)
    return ["".join(numbers.choices("ab", k=160)) for _ in range(count)]


_SEARCHED = {
    "edits that build on each other": (
        _NAMED,
        _search_replace((f"    value_{at} = 1", f"x{at}") for at in range(9_000))
        + _search_replace([("no", "x")]),
    ),
    "edits of JSON": (
        _NAMED.replace("    ", "\t"),
        json.dumps(
            {"edits": [{"path": "a.py", "old": f"e_{at} ", "new": "e  "} for at in range(9_000)]}
        ),
    ),
    "edits of JSON, line by line": (
        _NAMED,
        json.dumps(
            {
                "edits": [
                    {"path": "a.py", "old": f"value_{at} = 1  \n", "new": f"x{at}\n"}
                    for at in range(9_000)
                ]
            }
        ),
    ),
    "edits of a file that moves": (
        _NAMED,
        _v4a(
            "".join(
                f"*** Update File: {at or 'a.py'}\n*** Move to: {at + 1}\n@@\n-{_ROWS[at]}\n+x\n"
                for at in range(2_000)
            )
        ),
    ),
    "anchors": (
        "def f():\n    x = 1\n" + "    y\n" * 10_000 + "def g():\n    x = 1\n",
        _v4a(
            "*** Update File: a.py\n"
            + "".join(f"@@ def f():\n-    x = 1\n+    y = {at}\n" for at in range(9_000))
        ),
    ),
    "the end of blank lines": (
        "\n" * 400_000,
        _v4a("*** Update File: a.py\n@@\n-\n+x\n*** End of File\n"),
    ),
    "tangled lines": (_tangled(15_000, "") + "end\n", _whole(_tangled(15_000, "j{}\n"))),
    "dots": (
        "".join(f"l{at}\n" for at in range(72_000)),
        _whole(
            "".join(f"l{at}\n...\n" for at in range(12_000))
            + "".join(f"l{at}\nq{at}\n" for at in range(12_000, 72_000, 6))
        ),
    ),
    "lines that are moved": (
        _NAMED,
        _search_replace([(_NAMED.replace("    ", ""), _NAMED.replace("    v", "w"))]),
    ),
    "lines like many others": (
        "\n".join(_alike(1, 3_000)),
        _search_replace([(_alike(2, 1)[0], "")]),
    ),
    "long lines with a slip": (
        "".join(f"k{at}\nm{at}\n{line}\n" for at, line in enumerate(_alike(1, 3_000))),
        _diff(
            "@@\n"
            + "".join(f" k{at}\n m{at}\n {line}\n" for at, line in enumerate(_alike(2, 2_900)))
            + "-k2900\n+x\n"
        ),
    ),
}


@pytest.mark.parametrize(("file", "answer"), _SEARCHED.values(), ids=_SEARCHED)
def test_what_is_slow_to_place_is_placed_or_refused_at_once(file: str, answer: str) -> None:
    started = time.process_time()
    with contextlib.suppress(AttemptFailed):
        apply(parse(answer), MemoryTree({"a.py": file.encode()}))
    assert time.process_time() - started < 8


def test_names_like_many_others_are_refused_at_once() -> None:
    known = {f"d/{name}": b"x\n" for name in _alike(1, 2_000)}
    started = time.process_time()
    with pytest.raises(EditRefused, match="does not exist"):
        apply(
            parse(_search_replace([("x", "y")]).replace("a.py", "d/" + _alike(2, 1)[0], 1)),
            MemoryTree(known),
        )
    assert time.process_time() - started < 3


def test_too_much_work_says_what_to_do() -> None:
    pairs = [(row, f"x{at}") for at, row in enumerate(_ROWS)]
    with pytest.raises(EditRefused, match="too many edits") as refused:
        apply(
            parse(_SEARCHED["edits of a file that moves"][1]), MemoryTree({"a.py": _NAMED.encode()})
        )
    assert "fewer edits" in (refused.value.next_step or "")
    assert apply(parse(_search_replace(pairs[:2_000])), MemoryTree({"a.py": _NAMED.encode()}))


def test_a_hundred_edits_of_a_long_file_are_no_work() -> None:
    """Of JSON, of which some are found letter by letter, and some in lines that end otherwise."""
    edits = [
        {"path": "a.py", "old": "".join(f"{row}\n" for row in old), "new": f"    x = {at}\n"}
        if at % 3
        else {"path": "a.py", "old": old[0].strip(), "new": f"x{at}"}
        for at, old in ((at, _ROWS[at * 90 : at * 90 + 2]) for at in range(100))
    ]
    started = time.process_time()
    changes = apply(
        parse(json.dumps({"edits": edits})),
        MemoryTree({"a.py": _NAMED.replace("\n", "\r\n").encode()}),
    )
    assert time.process_time() - started < 3
    after = (changes["a.py"] or b"").split(b"\r\n")
    assert len(after) == 10_001 - 66
    assert [row for row in after if b"value" not in row] == [
        b"    x = %d" % at if at % 3 else b"    x%d" % at for at in range(100)
    ] + [b""]
