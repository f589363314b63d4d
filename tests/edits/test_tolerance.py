"""What a model gets wrong and is understood, and what is refused rather than guessed."""

from __future__ import annotations

import pytest

from aifactory.edits import MemoryTree, apply, parse
from aifactory.errors import AnswerUnusable, EditRefused, ScopeViolation, StaleBase

_FILE = """\
import sys


def first(value):
    if value:
        return "a"
    return 1


def second(value):
    if value:
        return "b"
    return 1
"""
_HUNK = """\
 def second(value):
     if value:
-        return "b"
+        return "c"
     return 1
"""
_WANTED = _FILE.replace('"b"', '"c"')


def _v4a(hunk: str, path: str = "m.py") -> str:
    return f"*** Begin Patch\n*** Update File: {path}\n@@\n{hunk}*** End Patch\n"


def _udiff(hunk: str, header: str = "@@ -10,4 +10,4 @@") -> str:
    return f"diff --git a/m.py b/m.py\n--- a/m.py\n+++ b/m.py\n{header}\n{hunk}"


def _result(answer: str, file: str | bytes = _FILE) -> str:
    data = file if isinstance(file, bytes) else file.encode()
    changes = apply(parse(answer), MemoryTree({"m.py": data}))
    return (changes["m.py"] or b"").decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "answer",
    [
        _v4a(_HUNK.replace("value:\n", "value:   \n")),
        _v4a(_HUNK.replace('"', "\u201d")),
        _v4a("".join(f"{line[0]}  {line[1:]}\n" for line in _HUNK.splitlines())),
        _v4a(_HUNK.replace("if value", "if vlaue")),
        _v4a(_HUNK).replace("\n", "\r\n"),
        _v4a(_HUNK, "./m.py"),
        _v4a(_HUNK + "@@\n" + _HUNK),
        f"Of course!\n\n```\n{_v4a(_HUNK)}```\nDone.\n",
        _udiff(_HUNK, "@@ -1,6 +7,2 @@") + "\nThat is all.\n",
        _udiff(_HUNK, "@@ ... @@"),
        _udiff(_HUNK).replace("@@ -10,4 +10,4 @@\n", ""),
        _udiff(_HUNK).replace("a/m.py", "m.py").replace("b/m.py", "m.py"),
    ],
    ids=[
        "white space", "look-alikes", "indentation", "typo", "line ends", "path", "twice",
        "prose and fence", "numbers", "no numbers", "no header", "no prefixes",
    ],
)  # fmt: skip
def test_slips_that_leave_the_meaning_clear(answer: str) -> None:
    assert _result(answer) == _WANTED


def test_kept_lines_keep_the_bytes_of_the_file() -> None:
    file = _FILE.replace("if value:", "if value:  ").replace("import sys\n", "import sys\r\n")
    assert _result(_v4a(_HUNK), file) == file.replace('"b"', '"c"')


def test_left_out_lines_stay() -> None:
    hunk = ' def first(value):\n...\n def second(value):\n     if value:\n-        return "b"\n'
    assert _result(_v4a(hunk)) == _FILE.replace('        return "b"\n', "")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_v4a("     if value:\n+        pass\n"), "fits 2 places (lines 5, 11)"),
        (_v4a('-        return "d"\n+        return "e"\n'), "edit 1 was not found"),
        (_v4a(_HUNK.replace("-  ", "-  x")), "not found; nearest is line 10: line 12 is"),
        (_v4a(_HUNK, "n.py"), "does not exist"),
        (_v4a("+x = 1\n"), "does not say where"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused(answer: str, message: str) -> None:
    with pytest.raises(EditRefused) as refusal:
        _result(answer)
    assert message in refusal.value.message


def test_a_refusal_shows_the_true_lines_of_the_nearest_place() -> None:
    with pytest.raises(EditRefused) as refusal:
        _result(_v4a(_HUNK.replace('"b"', '"x"')))
    assert '   12 |         return "b"' in refusal.value.evidence


def test_an_edit_that_somebody_made_before_is_refused() -> None:
    with pytest.raises(EditRefused, match="in the file already, at line 10"):
        _result(_v4a(_HUNK), _WANTED)


@pytest.mark.parametrize(
    "path", ["../m.py", "/etc/m.py", ".git/config", "a/../../m.py", "C:\\m.py"]
)
def test_paths_that_lead_out_of_the_tree(path: str) -> None:
    with pytest.raises(ScopeViolation):
        _result(f"*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch\n")


def test_nothing_is_written_through_a_link() -> None:
    tree = MemoryTree({"m.py": b""}, {"lib": "/etc"})
    with pytest.raises(ScopeViolation, match="lib is a symbolic link to /etc"):
        apply(parse("lib/passwd\n```\nroot\n```\n"), tree)


def test_all_or_nothing() -> None:
    tree = MemoryTree({"m.py": _FILE.encode(), "n.py": b"x\n"})
    both = _v4a(_HUNK + "*** Update File: n.py\n@@\n-y\n+z\n")
    with pytest.raises(EditRefused, match=r"^n\.py: "):
        apply(parse(both), tree)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I cannot do that.",
        _v4a(_HUNK).replace("*** End Patch\n", ""),
        "m.py\n```\nimport sys\n",
        "m.py\n```\n<<<<<<< SEARCH\nimport sys\n=======\nimport o",
        '{"edits": [{"op": "delete", "path": "m.py"}, {"op"',
        "```diff\n" + _udiff(_HUNK),
        _udiff(_HUNK, "@@ -10,9 +10,9 @@"),
    ],
)
def test_answers_that_are_empty_or_cut_off(answer: str) -> None:
    with pytest.raises(AnswerUnusable):
        parse(answer)


def test_a_finish_reason_of_length_is_enough() -> None:
    with pytest.raises(AnswerUnusable, match="cut off"):
        parse(_v4a(_HUNK), finish_reason="length")


def test_a_change_since_is_merged() -> None:
    now = _FILE.replace("import sys", "import os")
    tree = MemoryTree({"m.py": now.encode()})
    for answer in (_v4a(_HUNK), f"m.py\n```\n{_WANTED}```\n"):
        changes = apply(parse(answer), tree, seen={"m.py": _FILE.encode()})
        assert changes == {"m.py": now.replace('"b"', '"c"').encode()}


@pytest.mark.parametrize("now", [_FILE.replace('"b"', '"z"').encode(), None])
def test_a_change_of_the_same_lines_since_is_refused(now: bytes | None) -> None:
    tree = MemoryTree({} if now is None else {"m.py": now})
    with pytest.raises(StaleBase, match=r"^m\.py: "):
        apply(parse(_v4a(_HUNK)), tree, seen={"m.py": _FILE.encode()})


def test_line_numbers_decide_only_where_the_whole_diff_proves_them() -> None:
    file = "".join(f"{letter}\n" for letter in "abcdefgxbcdefgh")
    first = "-a\n+A\n b\n c\n d\n"
    second = " b\n c\n d\n-e\n+E\n f\n g\n"
    with pytest.raises(EditRefused, match="fits 2 places"):
        _result(_udiff(second, "@@ -9,6 +9,6 @@"), file)
    proven = _udiff(first, "@@ -1,4 +1,4 @@") + "@@ -9,7 +9,7 @@\n" + second + " h\n"
    assert _result(proven, file) == "A" + file[1:-8] + "E" + file[-7:]


@pytest.mark.parametrize(
    ("file", "hunk"),
    [
        ("# it\u2019s one\nx = 'a'\n", "-# it's one\n+# it's two\n x = 'a'\n"),
        ("a:\n\tb\n\tc\n  d\n", " a:\n+    e\n"),
    ],
    ids=["plain quotes", "tabs lost where the file mixes both"],
)
def test_characters_that_may_be_slips_are_refused(file: str, hunk: str) -> None:
    with pytest.raises(EditRefused):
        _result(_v4a(hunk), file)


def test_typographic_quotes_beside_plain_ones_are_meant() -> None:
    hunk = " y = 0\n+z = 'it\u2019s'\n"
    assert _result(_v4a(hunk), "x = 'a'\ny = 0\n") == "x = 'a'\ny = 0\nz = 'it\u2019s'\n"


def test_a_twin_does_not_stand_in_for_a_place_that_somebody_changed() -> None:
    twin = "def f(name):\n    # note\n    x = 1\n\n    return (\n        {},\n        None,\n"
    file = twin.format("name") + twin.format("0").replace("x = 1", "x = 1  # mine")
    hunk = " # note\n-    x = 1\n+    x = 2\n \n     return (\n         0,\n         None,\n"
    with pytest.raises(EditRefused):
        _result(_v4a(" def f(name):\n    " + hunk), file)


def test_a_whole_file_with_one_stray_character_beside_a_change_is_refused() -> None:
    with pytest.raises(EditRefused, match="written otherwise"):
        apply(
            parse("m.md\n```\n2011-2022\nb\n```\n"),
            MemoryTree({"m.md": "2011\u20132022\na\n".encode()}),
        )


def test_a_short_last_hunk_is_cut_off_unless_other_counts_are_wrong() -> None:
    last = "@@ -20,8 +20,8 @@\n-a\n+b\n c\n d\n e\n"
    with pytest.raises(AnswerUnusable, match="seems cut off"):
        parse(_udiff(_HUNK) + last.replace(",8", ",5"))
    assert parse(_udiff(_HUNK, "@@ -10,5 +10,5 @@") + last.replace(",8", ",5")).paths == ("m.py",)


def test_a_file_that_got_another_form_since_is_stale_and_one_with_a_space_less_is_merged() -> None:
    shown = "def f():\n    x = 1\n    y = 2 \n    return x\n"
    answer = _v4a(" \ty = 2\n".replace("\t", "    ") + "     return x\n+    z = 3\n")
    for now in (shown.replace("    ", "\t"), shown.replace("\n", "\r\n")):
        with pytest.raises(StaleBase, match="other line ends or indentation"):
            apply(parse(answer), MemoryTree({"m.py": now.encode()}), seen={"m.py": shown.encode()})
    now = shown.replace("2 \n", "2\n")
    changes = apply(
        parse(answer), MemoryTree({"m.py": now.encode()}), seen={"m.py": shown.encode()}
    )
    assert changes == {"m.py": (now + "    z = 3\n").encode()}
