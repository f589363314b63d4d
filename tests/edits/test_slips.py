"""Ways of models to write what a file writes otherwise: undone where certain, else refused."""

from __future__ import annotations

import json

import pytest

from aifactory.edits import MemoryTree, apply, parse
from aifactory.errors import AnswerUnusable, EditRefused, ScopeViolation

_CODE = "import os\n\n\ndef f(a, b):\n    # a - b ...\n    if a < b and b > 1:\n        return 1\n"


def _result(answer: str, file: str, path: str = "m.py") -> str:
    changes = apply(parse(answer), MemoryTree({path: file.encode()}))
    return (changes[path] or b"").decode()


def _whole(text: str, path: str = "m.py") -> str:
    return f"{path}\n```\n{text}```\n"


def _v4a(hunk: str, path: str = "m.py") -> str:
    return f"*** Begin Patch\n*** Update File: {path}\n@@\n{hunk}*** End Patch\n"


def _json(old: str, new: str) -> str:
    return json.dumps([{"path": "m.py", "old": old, "new": new}])


@pytest.mark.parametrize("char", ["\u00a0", "\u200b", "\u2009"])
def test_characters_that_cannot_be_seen_are_taken_out_of_lines_that_stay(char: str) -> None:
    spaced = " " if char != "\u200b" else ""
    text = _CODE.replace("if a", f"if{char}{' ' if not spaced else ''}a").replace("1\n", "2\n")
    assert _result(_whole(text), _CODE) == _CODE.replace("1\n", "2\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [("    ", "\t"), ("<", "&lt;")],
    ids=["tabs", "entities"],
)
def test_a_whole_file_in_another_form_beside_a_change_is_refused(old: str, new: str) -> None:
    text = _CODE.replace(old, new).replace(">", "&gt;" if old == "<" else ">")
    with pytest.raises(EditRefused, match="not clear"):
        _result(_whole(text.replace("1\n", "2\n")), _CODE)


@pytest.mark.parametrize(
    ("old", "new"), [(" - ", " \u2013 "), ("...", "\u2026"), (" - ", " \u2014 ")]
)
def test_lines_of_code_that_stay_but_for_how_a_mark_looks(old: str, new: str) -> None:
    text = _CODE.replace(old, new).replace("1\n", "2\n")
    assert _result(_whole(text), _CODE) == _CODE.replace("1\n", "2\n")
    with pytest.raises(EditRefused, match="not clear"):
        _result(_whole(text, "m.md"), _CODE, "m.md")


@pytest.mark.parametrize(("old", "new"), [("...", "\u2026"), ("    ", "\t")])
def test_a_whole_file_in_another_form_alone_is_a_change(old: str, new: str) -> None:
    text = _CODE.replace(old, new)
    assert _result(_whole(text), _CODE) == text


@pytest.mark.parametrize(
    "line",
    ["# rest of the file remains the same", "// existing code here", "# (unchanged)", "# ..."],
)
def test_words_for_lines_that_are_left_out(line: str) -> None:
    with pytest.raises(EditRefused, match="stands for lines that are left out"):
        _result(_whole(f"import os\n{line}\n"), _CODE)


def test_dots_are_all_that_a_new_function_has_in_it() -> None:
    text = "import os\n\n\ndef f(a: int, b: int) -> int:\n    ...\n"
    assert _result(_whole(text), _CODE) == text
    with pytest.raises(EditRefused, match="left out"):
        _result(_whole("import os\n\n\ndef f(a, b):\n    ...\n"), _CODE)


def test_line_ends_that_the_answer_tells_apart_are_meant() -> None:
    hunk = " a\n+new\r\n+other\n b\n"
    assert _result(_v4a(hunk), "a\nb\n") == "a\nnew\r\nother\nb\n"
    assert _result(_json("a\n", "a\nnew\r\nother\n"), "a\nb\n") == "a\nnew\r\nother\nb\n"


def test_line_ends_of_a_replaced_text() -> None:
    file = "a\r\nb\r\nc\r\n"
    assert _result(_json("\nb", "\nb\nnew"), file) == "a\r\nb\r\nnew\r\nc\r\n"
    with pytest.raises(EditRefused, match="ends lines with CRLF in its old text"):
        _result(_json("b\r\n", "b\nnew\n"), file)
    assert _result(_json("b\r\n", "b\r\nnew\n"), file) == "a\r\nb\r\nnew\nc\r\n"


def test_a_text_whose_indentation_is_cut_off() -> None:
    file = "def f():\n    x = 1\n    return x\n"
    kept = _json("x = 1\n", "x = 1\n    y = 2\n")
    assert _result(kept, file) == file.replace("x = 1\n", "x = 1\n    y = 2\n")
    with pytest.raises(EditRefused, match="indentation"):
        _result(_json("x = 1\n", "x = 1\ny = 2\n"), file)


def test_an_indentation_that_stands_for_two() -> None:
    file = "if a:\n    b\n    end\nend\nc\n"
    hunk = " if a:\n-    b\n-    end\n-    end\n+    d\n+    end\n c\n"
    with pytest.raises(EditRefused, match="in no uniform way"):
        _result(_v4a(hunk), file)


def test_spaces_beside_tabs_that_the_answer_keeps_are_meant() -> None:
    file = "func f() {\n\ta()\n    b()\n\tc()\n}\n"
    hunk = " func f() {\n \ta()\n+\t/* x\n+        y */\n     b()\n"
    assert _result(_v4a(hunk), file) == file.replace("\ta()\n", "\ta()\n\t/* x\n        y */\n")


def test_tabs_beside_spaces_that_the_answer_keeps_are_meant() -> None:
    file = "f {\n    if a {\n        b\n    }\n}\n"
    hunk = "         b\n+\tc\n     }\n"
    assert _result(_v4a(hunk), file) == file.replace("b\n", "b\n\tc\n")
    with pytest.raises(EditRefused, match="in no uniform way"):
        _result(_v4a(" f {\n+\tc\n"), file)


def test_a_known_file_under_another_folder_is_no_new_file() -> None:
    with pytest.raises(EditRefused, match=r"repo/m\.py: there is no such file, but m\.py"):
        _result(_whole(_CODE + "x = 1\n", "repo/m.py"), _CODE)


def test_a_changed_file_without_its_folders_is_no_new_file() -> None:
    with pytest.raises(EditRefused, match=r"m\.py: there is no such file, but lib/m\.py"):
        _result(_whole(_CODE + "x = 1\n", "m.py"), _CODE, "lib/m.py")
    changes = apply(parse(_whole(_CODE, "m.py")), MemoryTree({"lib/m.py": _CODE.encode()}))
    assert changes == {"m.py": _CODE.encode()}  # a copy is meant


def test_a_dash_stands_for_as_many_as_it_does_in_lines_that_stay() -> None:
    file = "run:\n    make --all - now\n    end\n"
    hunk = " run:\n     make \u2014all - now\n+    test \u2014no-cache x\n     end\n"
    assert "test --no-cache x" in _result(_v4a(hunk), file)


def test_a_last_line_without_a_line_end_is_no_line_feed() -> None:
    hunk = " a\r\n-b\n+b\r\n+c\n"
    assert _result(_v4a(hunk), "a\r\nb") == "a\r\nb\r\nc"


def test_a_home_folder_is_outside() -> None:
    with pytest.raises(ScopeViolation):
        _result(_whole("x\n", "~/m.py"), _CODE)


@pytest.mark.parametrize(
    "answer",
    [
        "similarity index 100%\nrename from m.py\nrename to n.py\n",
        "diff --git a/n.py b/n.py\nnew file mode 100644\n--- /dev/null\n",
        "diff --git a/n.py b/n.py\nnew file mode 100644\n--- /dev/null\n+++ b/n.py\n",
        "--- a/m.py\n+++ b/m.py\n@@ -1 +1,2 @@\n import os\n+import s",
        "diff --git a/m.py b/n.py\nsimilarity index 100%\nrename from m.py\n",
    ],
    ids=["a rename without its file", "names", "both names", "a line", "half of a rename"],
)
def test_a_diff_that_says_less_than_it_means(answer: str) -> None:
    with pytest.raises(AnswerUnusable):
        parse(answer, format="udiff")


def test_a_number_that_the_heading_speaks_against_decides_nothing() -> None:
    body = "    #\n    #\n    #\n    x = 1\n    #\n    #\n    #\n"
    hunk = "".join(f" {line}\n" for line in body.splitlines())
    hunk = hunk.replace("     x = 1", "-    x = 1\n+    x = 2")
    tail = "a\nb\nc\nd\ne\nf\ng\n"
    last = "@@ -17,7 +17,7 @@ def second(a):\n a\n b\n c\n-d\n+D\n e\n f\n g\n"
    file = f"def first(a):\n{body}def second(a):\n{body}{tail}"
    diff = f"--- a/m.py\n+++ b/m.py\n@@ -10,7 +10,7 @@ def second(a):\n{hunk}{last}"
    wanted = file.replace("d\ne\n", "D\ne\n")
    at = wanted.rindex("x = 1")
    assert _result(diff, file) == wanted[:at] + "x = 2" + wanted[at + 5 :]
    with pytest.raises(EditRefused, match="fits 2 places"):
        _result(diff.replace("@@ def second(a):\n     #", "@@ def first(a):\n     #"), file)


def test_white_space_that_all_lines_gain_is_all_that_goes() -> None:
    file = "a = 1\nb = 2\nc = 3\n"
    hunk = " a = 1 \n b = 2 \n+   \n+d = 4 \n c = 3 \n"
    assert _result(_v4a(hunk), file) == "a = 1\nb = 2\n  \nd = 4\nc = 3\n"
    with pytest.raises(EditRefused, match="white space at the end"):
        _result(_v4a(hunk.replace("a = 1 ", "a = 1")), file)


def test_white_space_at_the_end_of_a_line_of_a_whole_file() -> None:
    file = "a = 1\nb = 2\nc = 3\nd = 4\n"
    gained = "a = 1 \nb = 2 \nc = 3 \nd = 4 \n"
    assert _result(_whole(gained + "   \ne = 5 \n"), file) == file + "  \ne = 5\n"
    assert _result(_whole(file.replace("b = 2", "b = 2 ")), file) == file.replace("2\n", "2 \n")
    with pytest.raises(EditRefused, match="white space at the end"):
        _result(_whole(file.replace("b = 2", "b = 2 ") + "e = 5\n"), file)


def test_white_space_that_all_lines_of_a_new_file_gain_is_all_that_goes() -> None:
    answer = _v4a(" import os  \n \n \n+x = 1  \n").replace(
        "*** End Patch", "*** Add File: n.py\n+a = 1  \n+    \n+b = 2  \n*** End Patch"
    )
    changes = apply(parse(answer), MemoryTree({"m.py": _CODE.encode()}))
    assert changes["n.py"] == b"a = 1\n  \nb = 2\n"


@pytest.mark.parametrize(
    "new",
    [
        "x = a \u2013 b",
        "x = '\u201ca\u201d'",
        "x = 1 &lt; 2",
        "a\\_b",
        'x = "a" + \\"b\\"',
        "\u00a0x",
        "e\u0301 ",
    ],
)
def test_what_is_added_is_trusted_where_all_else_agrees_with_the_file(new: str) -> None:
    wanted = _CODE.replace("import os", f"import os\n{new}")
    assert _result(_v4a(f" import os\n+{new}\n \n"), _CODE) == wanted
    assert _result(_json("import os\n", f"import os\n{new}\n"), _CODE) == wanted
    assert _result(_whole(wanted), _CODE) == wanted


def test_quotes_that_json_escapes_twice_are_refused() -> None:
    answer = _json("import os\n", 'import os\nx = \\"a\\"\n')
    with pytest.raises(EditRefused, match="a backslash in front"):
        _result(answer, _CODE)
    macro = 'FLAGS = -DX=\\"a\\"\n'  # a file that has such lines may get more
    assert _result(answer, f"{macro}import os\n") == f'{macro}import os\nx = \\"a\\"\n'


def test_a_new_line_end_in_the_middle_of_a_line_is_refused() -> None:
    with pytest.raises(EditRefused, match="in the middle of a line"):
        _result(_json("END", "END\n"), "a\nEND_x\n")
    assert _result(_json("END", "END\n"), "a\nEND") == "a\nEND\n"


def test_a_text_that_begins_with_the_end_of_a_line_does_not_lose_it() -> None:
    with pytest.raises(EditRefused, match="begins with the end of a line"):
        _result(_json("\nb\n", "new\n\nb\n"), "a\nb\n")
    assert _result(_json("\nb\n", "\nnew\nb\n"), "a\nb\n") == "a\nnew\nb\n"
    assert _result(_json("\nb", ""), "a\nb\n") == "a\n"
    assert _result(_json("\nb\n", "new\nb\n"), "a\n\nb\n") == "a\nnew\nb\n"


@pytest.mark.parametrize(("end", "other"), [("\n", "\r\n"), ("\r\n", "\n")])
def test_line_ends_are_trusted_where_those_of_kept_lines_are_the_files(
    end: str, other: str
) -> None:
    file = f"a{end}b{end}c{end}"
    hunk = f" a{end}+new{other} b{end}"
    assert _result(_v4a(hunk), file) == f"a{end}new{other}b{end}c{end}"


def test_an_indentation_that_other_edits_show_to_be_kept_is_trusted() -> None:
    file = "{\n    a\n}\n[\n    b\n]\n"
    first, second = " {\n+\tnew\n", "     b\n-]\n+];\n"
    with pytest.raises(EditRefused, match="in no uniform way"):
        _result(_v4a(first), file)
    assert _result(_v4a(f"{first}@@\n{second}"), file) == "{\n\tnew\n    a\n}\n[\n    b\n];\n"


def test_lines_that_are_added_in_the_files_own_tabs_stay() -> None:
    file = "f {\n\tif a {\n\t\tb\n\t}\n}\n"
    hunk = "     if a {\n-        b\n+\t\tc\n     }\n"
    assert _result(_v4a(hunk), file) == file.replace("b", "c")


def test_a_long_dash_stands_for_two() -> None:
    hunk = " # a \u2014b\n-x = 1\n+x = 2  # c \u2014d\n"
    assert _result(_v4a(hunk), "# a --b\nx = 1\n") == "# a --b\nx = 2  # c --d\n"


def test_a_new_file_with_marks_that_are_slips_elsewhere_is_refused() -> None:
    patch = _v4a(" # a \u2013 b\n+x = 1\n").replace(
        "*** End Patch", "*** Add File: n.py\n+# c \u2013 d\n*** End Patch"
    )
    with pytest.raises(EditRefused, match="not clear"):
        apply(parse(patch), MemoryTree({"m.py": b"# a - b\n"}))


def test_lines_that_stay_are_given_back_their_tabs_where_new_ones_have_them() -> None:
    file = "f {\n\tif a {\n\t\tb\n\t}\n}\n"
    spaced = file.replace("\t", "    ")
    new = spaced.replace("        b\n", "        b\n\t\tc\n")
    assert _result(_whole(new, "m.js"), file, "m.js") == file.replace("b\n", "b\n\t\tc\n")
    with pytest.raises(EditRefused, match="tabs and spaces"):
        _result(_whole(spaced.replace("b\n", "b\n        c\n"), "m.js"), file, "m.js")


def test_a_whole_text_names_its_file_in_another_case() -> None:
    changed = _CODE.replace("return 1", "return 2")
    assert _result(_whole(changed, "M.py"), _CODE) == changed
    with pytest.raises(EditRefused, match=r"m\.py is nearly the same"):
        _result(_whole("other = 1\n" * 9, "M.py"), _CODE)
