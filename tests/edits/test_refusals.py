"""What a refusal tells the model: the file, the place, the true lines, what to do next."""

from __future__ import annotations

import json

import pytest

from aifactory.edits import MemoryTree, apply, parse
from aifactory.errors import AttemptFailed, EditRefused, ScopeViolation

_APP = "".join(f"def f{n}(a):\n    x = a\n    return x + {n}\n\n\n" for n in (1, 2, 3))
_TREE = {"src/app.py": _APP.encode(), "src/util.py": b"", "run.sh": b"true\n"}


def _refused(answer: str) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as refusal:
        apply(parse(answer), MemoryTree(_TREE, {"src/link.py": "app.py"}))
    return refusal.value


def _edit(**fields: str) -> str:
    return json.dumps({"edits": [{"path": "src/app.py"} | fields]})


def test_the_nearest_place_is_where_most_is_alike() -> None:
    told = _refused(_edit(op="replace", old="    y = a\n    return y + 2", new="    return 0"))
    assert "nearest is line 7: line 7 is '    x = a', the answer has '    y = a'" in told.message
    assert "    8 |     return x + 2" in told.evidence


def test_a_line_that_is_named_above_decides_between_places_that_are_alike() -> None:
    hunk = "@@ def f3(a):\n-    y = a\n+    y = b\n"
    told = _refused(f"*** Begin Patch\n*** Update File: src/app.py\n{hunk}*** End Patch\n")
    assert "nearest is line 12" in told.message


def test_several_places_are_shown_with_what_stands_above_them() -> None:
    block = "<<<<<<< SEARCH\n    x = a\n=======\n    x = b\n>>>>>>> REPLACE"
    told = _refused(f"src/app.py\n```\n{block}\n```\n")
    assert "fits 3 places (lines 2, 7, 12)" in told.message
    for name in ("def f1(a):", "def f2(a):", "def f3(a):"):
        assert name in told.evidence


@pytest.mark.parametrize(
    ("fields", "message", "step"),
    [
        ({"op": "delete", "path": "src/ap.py"}, "deletes; did you mean src/app.py?", "leave it"),
        ({"op": "delete", "path": "src/other.py"}, "which the answer deletes", "leave it out"),
        ({"op": "rename", "path": "src/ap.py", "to": "b.py"}, "did you mean src/app.py?", "leave"),
        ({"op": "write", "content": _APP}, "already so in src/app.py", "compare with the files"),
        ({"op": "write", "path": ".git/x", "content": ""}, "Git's own directory", "leave it out"),
        ({"op": "write", "path": "src/link.py", "content": ""}, "it is a symbolic link", "leave"),
    ],
)
def test_what_is_wrong_has_a_name_and_a_next_step(
    fields: dict[str, str], message: str, step: str
) -> None:
    told = _refused(_edit(**fields))
    assert message in told.message and step in told.next_step
    assert "util.py" not in told.message


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"op": "append"}, "edits[1]: 'append' is none of replace, write, rename, delete"),
        ({"op": "replace", "new": "x"}, "edits[1]: `old` is missing"),
    ],
)
def test_an_edit_that_cannot_be_read_is_told_what_edits_are_made_of(
    edit: dict[str, str], message: str
) -> None:
    told = _refused(_edit(**edit))
    assert message in told.message and "replace with `old` and `new`" in told.next_step


def test_a_hunk_that_is_cut_off_is_told_with_its_file() -> None:
    whole = "--- a/run.sh\n+++ b/run.sh\n@@ -1 +1 @@\n-true\n+false\n"
    cut = "--- a/src/app.py\n+++ b/src/app.py\n@@ -1,3 +1,3 @@\n def f1(a):\n-    x = a\n"
    assert _refused(whole + cut).message.startswith("src/app.py: hunk 2 seems cut off")


def _mode(path: str, more: str = "") -> str:
    return f"diff --git a/{path} b/{path}\nold mode 100644\nnew mode 100755\n{more}"


def test_a_mode_alone_is_a_change() -> None:
    assert apply(parse(_mode("run.sh")), MemoryTree(_TREE)) == {}


@pytest.mark.parametrize(
    ("path", "error"),
    [("rnu.sh", EditRefused), ("src/link.py", ScopeViolation), (".git/x", ScopeViolation)],
)
def test_a_mode_without_its_file_refuses_all_of_the_answer(
    path: str, error: type[AttemptFailed]
) -> None:
    good = "--- a/run.sh\n+++ b/run.sh\n@@ -1 +1 @@\n-true\n+false\n"
    with pytest.raises(error):
        apply(parse(_mode(path) + good), MemoryTree(_TREE, {"src/link.py": "app.py"}))


def test_the_places_of_a_text_that_occurs_again_are_shown() -> None:
    told = _refused(_edit(op="replace", old="    x = a\n", new="    x = b\n"))
    assert "occurs more than once (lines 2, 7, 12)" in told.message
    assert "    1 | def f1(a):" in told.evidence
    assert "   11 | def f3(a):" in told.evidence
