"""Where an edit belongs: what proves a place, and what speaks against it."""

from __future__ import annotations

import hashlib

import pytest

from aifactory.edits import MemoryTree, apply, parse
from aifactory.errors import EditRefused

_TWINS = """\
def first(value):
    if value:
        return 1
    return 2


def second(value):
    if value:
        return 1
    return 2


def third():
    return 3
"""
_EDIT = "     if value:\n-        return 1\n+        return 4\n     return 2\n \n \n"
_WANTED = _TWINS[:80] + _TWINS[80:].replace("return 1", "return 4")


def _result(answer: str, file: str = _TWINS) -> str:
    changes = apply(parse(answer), MemoryTree({"m.py": file.encode()}))
    return (changes["m.py"] or b"").decode()


def _diff(*hunks: str, index: str = "") -> str:
    return f"diff --git a/m.py b/m.py\n{index}--- a/m.py\n+++ b/m.py\n{''.join(hunks)}"


def _v4a(hunk: str) -> str:
    return f"*** Begin Patch\n*** Update File: m.py\n@@\n{hunk}*** End Patch\n"


def _blob(text: str) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(text), text.encode())).hexdigest()[:7]


def test_a_heading_and_a_number_that_agree_tell_twins_apart() -> None:
    assert _result(_diff("@@ -8,5 +8,5 @@ def second(value):\n", _EDIT)) == _WANTED


@pytest.mark.parametrize(
    "header", ["@@ -8,5 +8,5 @@", "@@ -2,5 +2,5 @@ def second(value):", "@@ -8,5 +8,5 @@ def x():"]
)
def test_a_number_or_a_heading_alone_does_not(header: str) -> None:
    with pytest.raises(EditRefused, match="fits 2 places"):
        _result(_diff(f"{header}\n", _EDIT))


def test_the_ids_of_both_texts_prove_every_number() -> None:
    hunk = "@@ -8,5 +8,5 @@\n" + _EDIT
    ids = f"index {_blob(_TWINS)}..{_blob(_WANTED)} 100644\n"
    assert _result(_diff(hunk, index=ids)) == _WANTED
    with pytest.raises(EditRefused, match="fits 2 places"):
        _result(_diff(hunk, index=f"index {_blob(_TWINS)}..1234567 100644\n"))


def test_numbers_prove_nothing_however_well_they_agree() -> None:
    twin = "@@ -8,5 +8,5 @@\n" + _EDIT
    behind = "@@ -13,2 +13,2 @@\n def third():\n-    return 3\n+    return 5\n"
    with pytest.raises(EditRefused, match="fits 2 places"):
        _result(_diff(twin, behind))


def test_the_last_line_without_a_newline_is_the_last_line() -> None:
    hunk = "@@ -20,2 +20,2 @@\n     return 2\n-end\n\\ No newline at end of file\n+end\n"
    with pytest.raises(EditRefused, match="says that the file ends there"):
        _result(_diff(hunk), "    return 2\nend\n\nEND")


def test_an_edit_that_is_made_where_its_number_says_is_not_made_at_a_twin() -> None:
    with pytest.raises(EditRefused, match="in the file already, at line 8"):
        _result(_diff("@@ -8,5 +8,5 @@\n", _EDIT), _WANTED)


def test_a_twin_far_from_the_number_does_not_stand_in_for_lines_that_changed() -> None:
    tail = "".join(f"# {n}\n" for n in range(9))
    file = _TWINS.replace("return 1", "return 9", 1).replace("\n\n\ndef s", f"\n\n\n{tail}def s")
    hunk = "@@ -1,6 +1,6 @@\n def first(value):\n" + _EDIT
    with pytest.raises(EditRefused):
        _result(_diff(hunk), file)
    with pytest.raises(EditRefused, match="names line 2, where the lines around it are"):
        _result(_diff("@@ -2,5 +2,5 @@\n", _EDIT), file)


def test_a_diff_shows_what_follows_an_added_line() -> None:
    file = "a\nb\nc\nd\n"
    with pytest.raises(EditRefused, match="does not show what follows"):
        _result(_diff("@@ -1,2 +1,3 @@\n a\n b\n+new\n"), file)
    assert _result(_diff("@@ -3,2 +3,3 @@\n c\n d\n+new\n"), file) == file + "new\n"


_LIST = "alpha\nbeta\n\ngamma\ndelta\n}\nepsilon\n"


@pytest.mark.parametrize(
    "hunk",
    [
        " alpha\n beta\n+new\n gamma\n delta\n",
        " beta\n \n gamma\n delta\n other\n+new\n",
        " }\n \n+new\n }\n",
    ],
    ids=["an empty line is missing beside it", "an edge", "no line that says anything"],
)
def test_an_added_line_needs_its_neighbours(hunk: str) -> None:
    with pytest.raises(EditRefused):
        _result(_v4a(hunk), _LIST)


@pytest.mark.parametrize(
    "hunk",
    [
        " alpha\n-beta\n+new\n gamma\n delta\n",
        " alpha\n-beta\n+new\n \n gama\n delta\n",
        " alpha\n \n-beta\n+new\n \n gamma\n",
    ],
    ids=["missing", "a slip", "one too many"],
)
def test_a_replaced_line_is_found_among_context_with_a_slip(hunk: str) -> None:
    assert _result(_v4a(hunk), _LIST) == _LIST.replace("beta", "new")


def test_an_edit_whose_result_ends_at_its_place_is_made_already() -> None:
    block = "    return 1\n}\n\n// last\n"
    made = "    return 1\n}\n\nif (x) {\n    return 1\n}\n\n// last\n"
    answer = f"m.py\n```\n<<<<<<< SEARCH\n{block}=======\n{made}>>>>>>> REPLACE\n```\n"
    assert _result(answer, block) == made
    with pytest.raises(EditRefused, match="in the file already"):
        _result(answer, made)


def test_a_number_speaks_against_a_twin_that_is_indented_otherwise() -> None:
    file = "if a:\n    x\n    z\nend\n" + "# \n" * 9 + "x\nz\nend\n"
    hunk = "     x\n+    y\n     z\n"
    assert _result(_diff("@@ -2,2 +2,3 @@\n", hunk), file).startswith("if a:\n    x\n    y\n")
    with pytest.raises(EditRefused, match="fits 2 places"):
        _result(_diff("@@ -14,2 +14,3 @@\n", hunk), file)


@pytest.mark.parametrize(
    "name", ["SRC/M.py", "m.py", "project/src/m.py"], ids=["case", "a folder less", "one more"]
)
def test_a_file_is_known_by_its_lines_where_its_name_is_nearly_right(name: str) -> None:
    patch = _v4a(" alpha\n-beta\n+new\n").replace("m.py", name)
    tree = {"src/m.py": _LIST.encode(), "src/n.py": b""}
    wanted = {"src/m.py": _LIST.replace("beta", "new").encode()}
    assert apply(parse(patch), MemoryTree(tree)) == wanted
    with pytest.raises(EditRefused, match="does not exist"):
        apply(parse(patch.replace("beta", "gone")), MemoryTree(tree))


def test_two_files_with_nearly_the_name_and_these_lines() -> None:
    patch = _v4a(" alpha\n-beta\n+new\n")
    tree = {"a/m.py": _LIST.encode(), "b/m.py": _LIST.encode()}
    with pytest.raises(EditRefused, match=r"did you mean a/m\.py or b/m\.py"):
        apply(parse(patch), MemoryTree(tree))


_MIXED = "a\r\nb\r\nc\r\nd\r\ne\nf\ng\nh\n"


@pytest.mark.parametrize(
    ("hunk", "wanted"),
    [
        (" b\n-c\n+C\n d\n", _MIXED.replace("c", "C")),
        (" f\n+new\n g\n", _MIXED.replace("f\n", "f\nnew\n")),
        (" b\n+new\n c\n", _MIXED.replace("b\r\n", "b\r\nnew\r\n")),
    ],
    ids=["those of the removed line", "those of the lines around", "those of the neighbours"],
)
def test_line_ends_of_new_lines_in_a_file_that_mixes_them(hunk: str, wanted: str) -> None:
    assert _result(_v4a(hunk.replace(" f", " e\n f")), _MIXED) == wanted
    assert _result(f"m.py\n```\n{wanted.replace(chr(13), '')}```\n", _MIXED) == wanted


def test_a_new_line_between_two_kinds_of_line_ends_is_refused() -> None:
    with pytest.raises(EditRefused, match="line ends are mixed"):
        _result(_v4a(" d\n+new\n e\n"), _MIXED)
    with pytest.raises(EditRefused, match="line ends are mixed"):
        _result(
            f"m.py\n```\n{_MIXED.replace(chr(13), '').replace('e', 'new' + chr(10) + 'e')}```\n",
            _MIXED,
        )


def _blocks(*pairs: tuple[str, str]) -> str:
    block = "m.py\n```\n<<<<<<< SEARCH\n{}=======\n{}>>>>>>> REPLACE\n```\n"
    return "".join(block.format(old, new) for old, new in pairs)


def test_only_lines_that_stood_once_at_first_are_told_from_those_of_another_edit() -> None:
    made, built = ("a\n", "a\nx\ny\n"), ("a\nx\n", "a\nw\nx\n")
    answer = _blocks(made, built, ("x\ny\n", "x\nz\n"))
    assert _result(answer, "a\nq\nx\ny\n") == "a\nw\nx\ny\nq\nx\nz\n"
    with pytest.raises(EditRefused, match="fits 3 places"):
        _result(answer, "a\nq\nx\ny\nq\nx\ny\n")
