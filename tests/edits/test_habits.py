"""Ways of a model that run through a whole answer: undone where the files show them."""

from __future__ import annotations

import json

import pytest

from aifactory.edits import MemoryTree, apply, parse
from aifactory.errors import AnswerUnusable, EditRefused

LINES = [f"value_{at} = compute(other_{at})" for at in range(9)]
FILE = "\n".join(LINES) + "\n"
CHANGED = FILE.replace("compute(other_4)", "compute(new_name)")


def outcome(answer: str, files: dict[str, str], format: str = "auto") -> dict[str, str]:
    tree = MemoryTree({path: text.encode() for path, text in files.items()})
    changes = apply(parse(answer, format=format), tree)
    return {path: data.decode() for path, data in changes.items() if data is not None}


def whole(text: str, path: str = "m.py") -> str:
    return f"{path}\n```\n{text}```\n"


def test_line_numbers_are_no_part_of_a_file() -> None:
    numbered = "".join(f"{at:>4} | {line}\n" for at, line in enumerate(CHANGED.splitlines(), 1))
    assert outcome(whole(numbered), {"m.py": FILE}) == {"m.py": CHANGED}


def test_numbers_that_the_file_has_stay() -> None:
    listing = "".join(f"{at} | {line}\n" for at, line in enumerate(LINES, 1))
    changed = listing.replace("other_4", "new_name")
    assert outcome(whole(changed, "list.txt"), {"list.txt": listing}) == {"list.txt": changed}


def test_a_file_may_be_indented_with_its_fence() -> None:
    answer = "".join(f"    {line}\n" for line in whole(CHANGED).splitlines())
    assert outcome(answer, {"m.py": FILE}) == {"m.py": CHANGED}


def test_backslashes_of_markdown_are_no_part_of_code() -> None:
    escaped = CHANGED.replace("_", "\\_")
    assert outcome(whole(escaped), {"m.py": FILE}) == {"m.py": CHANGED}


def test_a_new_file_gets_the_line_ends_of_its_kind() -> None:
    crlf = FILE.replace("\n", "\r\n")
    answer = whole(CHANGED) + "\nnew.py\n```\nx = 1\n```\n"
    assert outcome(answer, {"m.py": crlf, "n.py": crlf})["new.py"] == "x = 1\r\n"
    assert outcome(answer, {"m.py": crlf, "n.py": FILE})["new.py"] == "x = 1\n"


def test_a_new_file_loses_the_white_space_that_all_lines_of_the_answer_gain() -> None:
    answer = (whole(CHANGED) + "\n" + whole("x = 1\ny = 2\n", "new.py")).replace("\n", "  \n")
    assert outcome(answer, {"m.py": FILE})["new.py"] == "x = 1\ny = 2\n"


def test_a_space_behind_every_mark_of_a_new_file_is_refused() -> None:
    patch = "*** Begin Patch\n*** Add File: new.py\n+ a = 1\n+ b = 2\n+ c = 3\n*** End Patch\n"
    with pytest.raises(AnswerUnusable, match="begins with a space"):
        outcome(patch, {"m.py": FILE})


def test_two_answers_for_one_text_are_refused() -> None:
    edits = [{"path": "m.py", "old": LINES[4], "new": new} for new in ("a = 1", "a = 2")]
    with pytest.raises(AnswerUnusable, match="edits 1 and 2 replace the same text"):
        outcome(json.dumps({"edits": edits}), {"m.py": FILE})


def test_a_byte_order_mark_stays_in_front_of_a_new_first_line() -> None:
    answer = whole("import os\n" + FILE)
    assert outcome(answer, {"m.py": "\ufeff" + FILE}) == {"m.py": "\ufeffimport os\n" + FILE}


def test_a_spread_leaves_nothing_out() -> None:
    old = "f({\n  a,\n  b,\n  c,\n});\n"
    assert (
        outcome(whole("f({\n  ...rest,\n});\n", "m.js"), {"m.js": old})["m.js"].count("rest") == 1
    )


def test_names_with_backslashes_in_a_diff() -> None:
    diff = (
        "--- a\\src\\m.py\n+++ b\\src\\m.py\n@@ -4,3 +4,3 @@\n"
        f" {LINES[3]}\n-{LINES[4]}\n+value_4 = compute(new_name)\n {LINES[5]}\n"
    )
    assert outcome(diff, {"src/m.py": FILE}) == {"src/m.py": CHANGED}


def test_numbers_in_front_of_the_lines_of_a_new_file() -> None:
    numbered = "".join(f"{at:>4} | {line}\n" for at, line in enumerate(CHANGED.splitlines(), 1))
    new = " 10 | x = 1\n"
    assert outcome(whole(numbered) + whole(new, "n.py"), {"m.py": FILE})["n.py"] == "x = 1\n"
    with pytest.raises(EditRefused, match="begins with its number"):
        outcome(whole(new, "n.py"), {"m.py": FILE})


def test_a_mark_behind_a_line_number_is_the_one_of_the_file() -> None:
    numbered = "".join(f"{at} | {line}\n" for at, line in enumerate(CHANGED.splitlines(), 1))
    answer = whole(numbered.replace("1 | ", "1 | \ufeff", 1))
    assert outcome(answer, {"m.py": "\ufeff" + FILE}) == {"m.py": "\ufeff" + CHANGED}


def test_tabs_in_a_new_file_whose_kin_have_spaces() -> None:
    kin = {f"{name}.py": "if a:\n    b()\n" for name in "abc"}
    new = whole("if a:\n\tc()\n", "new.py")
    with pytest.raises(EditRefused, match="whether tabs or spaces are meant"):
        outcome(new, kin)
    assert outcome(new.replace(".py", ".mk"), kin)["new.mk"] == "if a:\n\tc()\n"
    tabbed = {path: text.replace("    ", "\t") for path, text in kin.items()}
    with pytest.raises(EditRefused, match="whether tabs or spaces are meant"):
        outcome(new.replace("\t", "    "), tabbed)
    assert outcome(new, tabbed)["new.py"] == "if a:\n\tc()\n"


def test_tabs_for_all_indentation_are_seen_where_lines_repeat() -> None:
    file = "if a:\n    b()\nb()\n"
    with pytest.raises(EditRefused, match="tabs and spaces"):
        outcome(whole("if a:\n\tb()\nb()\nc()\n"), {"m.py": file})


def test_a_text_under_the_name_of_another_file_is_refused() -> None:
    files = {"m.py": FILE, "n.py": "x = 1\ny = 2\nz = 3\n"}
    with pytest.raises(EditRefused, match=r"n\.py: the text given for it is nearly that of m\.py"):
        outcome(whole(CHANGED, "n.py"), files)
    assert outcome(whole(FILE, "n.py"), files) == {"n.py": FILE}  # a copy is meant


def test_lines_that_become_typographic_beside_a_change_are_refused() -> None:
    file = "".join(f"\"{at}\" and '{at}'\n" for at in range(6)) + "\u201cx\u201d\n'x'\nend\n"
    curled = file.replace('"0"', "\u201c0\u201d").replace('"1"', "\u201c1\u201d")
    curled = curled.replace('"2"', "\u201c2\u201d").replace("end", "END")
    with pytest.raises(EditRefused, match="is written otherwise"):
        outcome(whole(curled, "m.md"), {"m.md": file})


def test_lost_spaces_inside_of_lines_are_refused() -> None:
    file = "a = 1    # one\nlong_b = 2  # two\nc = 3   # three\nvalue = 4\n"
    hunk = " a = 1    # one\n long_b = 2 # two\n c = 3   # three\n+d = 5 # four\n value = 4\n"
    with pytest.raises(EditRefused, match="less white space inside of lines"):
        outcome(
            f"*** Begin Patch\n*** Update File: m.py\n@@\n{hunk}*** End Patch\n", {"m.py": file}
        )


def test_a_tab_in_a_file_that_has_tabs_and_spaces_may_be_right() -> None:
    file = "a\n    b\n\tc\nd\n"
    hunk = " a\n-\tb\n+\tB\n+\tx\n"
    with pytest.raises(EditRefused, match="in no uniform way"):
        outcome(
            f"*** Begin Patch\n*** Update File: m.py\n@@\n{hunk}*** End Patch\n", {"m.py": file}
        )


@pytest.mark.parametrize("line", ["# The rest is as before", "// unchanged below"])
def test_words_at_the_end_for_lines_that_are_left_out(line: str) -> None:
    text = "".join(f"{text}\n" for text in [*CHANGED.splitlines()[:6], line])
    with pytest.raises(EditRefused, match="left out"):
        outcome(whole(text), {"m.py": FILE})


def test_a_depth_that_could_be_two_in_a_file_with_tabs_and_spaces_is_refused() -> None:
    file = "f {\n\ta(b,\n\t    c);\n\td\n\t\te\n}\n"
    hunk = " f {\n-    a(b,\n+    A(b,\n+        x,\n         c);\n     d\n"
    with pytest.raises(EditRefused, match="in no uniform way"):
        outcome(f"*** Begin Patch\n*** Update File: m.c\n@@\n{hunk}*** End Patch\n", {"m.c": file})
    plain = file.replace("\t    c", "\t\tc")
    changed = plain.replace("a(b,", "A(b,\n\t\tx,")
    answer = f"*** Begin Patch\n*** Update File: m.c\n@@\n{hunk}*** End Patch\n"
    assert outcome(answer, {"m.c": plain}) == {"m.c": changed}


def test_a_depth_that_stands_for_two_depths_of_the_file_is_refused() -> None:
    file = "  switch (x)\n    {\n\ts += 2;\n    t();\n    u();\n"
    added = "*** Begin Patch\n*** Update File: a.c\n@@\n{}*** End Patch\n"
    hunk = "     {\n+    if (!s) return;\n     s += 2;\n-    t();\n-    u();\n+    t();\n"
    with pytest.raises(EditRefused, match="in no uniform way"):
        outcome(added.format(hunk), {"a.c": file})
    true = hunk.replace("     s += 2", " \ts += 2")
    wanted = file.replace("\ts", "    if (!s) return;\n\ts").replace("    u();\n", "")
    assert outcome(added.format(true), {"a.c": file}) == {"a.c": wanted}


def test_spaces_that_become_tabs_in_a_file_with_both_beside_a_change_are_refused() -> None:
    file = "f {\n\ta(b,\n    c);\n\t\te\n    d;\n}\n"
    with pytest.raises(EditRefused, match="tabs and spaces at the start of lines"):
        outcome(whole(file.replace("    ", "\t").replace("e", "E"), "m.c"), {"m.c": file})


def test_a_moved_line_keeps_its_line_end_or_is_refused() -> None:
    file = "".join(f"a{at}\n" for at in range(9)) + "x\r\n" + "y\r\n" * 3
    moved = file.replace("x\r\n", "").replace("a1\n", "a1\nx\n").replace("\r", "")
    with pytest.raises(EditRefused, match="line ends are mixed"):
        outcome(whole(moved), {"m.py": file})


def test_spaces_for_tabs_elsewhere_make_the_indentation_of_a_first_file_unclear() -> None:
    file = "f {\n\ta\n\tb\n}\n"
    change = "*** Update File: m.c\n@@\n f {\n-    a\n+    A\n     b\n"
    new = "*** Add File: n.ts\n+g {\n+    x\n+}\n"
    with pytest.raises(EditRefused, match="whether tabs or spaces are meant"):
        outcome(f"*** Begin Patch\n{change}{new}*** End Patch\n", {"m.c": file})
    done = outcome(
        f"*** Begin Patch\n{change}{new.replace('ts', 'c')}*** End Patch\n", {"m.c": file}
    )
    assert done["n.c"] == "g {\n\tx\n}\n"


def test_a_heading_under_which_long_dashes_stand_is_refused() -> None:
    hunk = " a\n+b\n+\u2014\u2014-\n"
    with pytest.raises(EditRefused, match="a line of long dashes"):
        outcome(
            f"*** Begin Patch\n*** Update File: m.rst\n@@\n{hunk}*** End Patch\n", {"m.rst": "a\n"}
        )


def test_tabs_where_a_file_is_indented_for_the_first_time() -> None:
    kin = {"m.py": "b()\nc()\n", "n.py": "if a:\n    b()\n"}
    block = "m.py\n```\n<<<<<<< SEARCH\nc()\n=======\nif a:\n\tc()\n>>>>>>> REPLACE\n```\n"
    for answer in (block, whole("b()\nif a:\n\tc()\n")):
        with pytest.raises(EditRefused, match="whether tabs or spaces are meant"):
            outcome(answer, kin)
        assert outcome(answer.replace("\t", "    "), kin)["m.py"] == "b()\nif a:\n    c()\n"
        assert outcome(answer, {"m.py": kin["m.py"]})["m.py"] == "b()\nif a:\n\tc()\n"


def test_tabs_that_another_edit_shows_to_be_kept() -> None:
    file = "f {\n\ta\n}\n# x\n"
    old = [("# x\n", "# x\n#     y\n    z\n"), ("f {\n\ta\n", "f {\n\tb\n")]
    edits = [{"op": "replace", "path": "m.c", "old": a, "new": b} for a, b in old]
    changed = file.replace("\ta", "\tb") + "#     y\n    z\n"
    assert outcome(json.dumps({"edits": edits}), {"m.c": file}) == {"m.c": changed}
    with pytest.raises(EditRefused, match="in no uniform way"):
        outcome(json.dumps({"edits": edits[:1]}), {"m.c": file})


def test_a_short_text_under_another_folder() -> None:
    files = {"requirements/docs.in": "Sphinx\nPallets-Themes\nsphinx-issues\n"}
    with pytest.raises(EditRefused, match=r"requirements/docs\.in is nearly the same"):
        outcome(whole("sphinx\npallets-themes\nsphinx-notes\n", "docs.in"), files)
    assert outcome(whole("flit\nbuild\nwheel\n", "docs.in"), files)


def test_long_dashes_under_a_heading() -> None:
    file = "Title\n-----\n\nA \u2014 b.\n"
    changed = file.replace("b.", "c.")
    assert outcome(whole(changed.replace("-----", "\u2014\u2014-"), "m.rst"), {"m.rst": file}) == {
        "m.rst": changed
    }
    with pytest.raises(EditRefused, match="a line of long dashes"):
        outcome(whole("New\n\u2014\u2014\n", "new.rst"), {"m.rst": file})


def test_a_file_in_crlf_of_which_no_line_stays() -> None:
    assert outcome(whole("y = 1\r\nz = 2\r\n"), {"m.py": "x = 1\n"}) == {"m.py": "y = 1\nz = 2\n"}


def test_a_line_that_is_set_to_a_column_with_spaces_for_tabs_is_refused() -> None:
    file = "f(a)\n{\n\tif (a)\n\t\tg(a);\n}\n"
    block = "        g(a);\n"
    answer = "m.c\n```\n<<<<<<< SEARCH\n    if (a)\n{}=======\n    if (a)\n{}>>>>>>> REPLACE\n```\n"
    assert outcome(answer.format(block, block + block.replace("a", "b")), {"m.c": file})
    with pytest.raises(EditRefused, match="in no uniform way"):
        outcome(answer.format(block, block + "          b);\n"), {"m.c": file})


def test_typographic_quotes_in_new_lines_are_slips_in_code_and_unclear_in_prose() -> None:
    file = "say 'a'\nsay 'b'\nsay 'c'\n"
    curled = file.replace("'", "\u2019").replace("c", "d")
    assert outcome(whole(curled, "m.py"), {"m.py": file}) == {"m.py": file.replace("c", "d")}
    with pytest.raises(EditRefused, match=r"m\.md: line 3 of the answer adds .* is not clear"):
        outcome(whole(curled, "m.md"), {"m.md": file})


@pytest.mark.parametrize("above", ["Here is the new Makefile:", "", "## Second file"])
def test_a_file_whose_name_is_missing_is_not_left_out(above: str) -> None:
    files = {"m.py": FILE, "n.py": "x = 1\ny = 2\nz = 3\nw = 4\n"}
    changed = "x = 1\ny = 2\nz = 3\nw = 5\n"
    with pytest.raises(EditRefused, match=r"n\.py: a code fence without a name holds nearly its"):
        outcome(f"{whole(CHANGED)}\n{above}\n```python\n{changed}```\n", files)
    example = f"{whole(CHANGED)}\nRun it:\n```sh\nmake\nmake test\nmake n.py\n```\n"
    assert outcome(example, files) == {"m.py": CHANGED}
    assert (
        outcome(f"{whole(CHANGED)}\nMakefile:\n```make\nall:\n```\n", files)["Makefile"] == "all:\n"
    )


def test_a_slip_in_a_short_name_is_seen_where_the_text_is_the_same() -> None:
    files = {"i18n/en.js": FILE}
    assert outcome(whole(FILE.replace("compute", "eo"), "i18n/eo.js"), files)
    with pytest.raises(EditRefused, match=r"i18n/en\.js is nearly the same"):
        outcome(whole(FILE.replace("_4", "_x"), "i18n/eo.js"), files)
    assert outcome(whole(FILE, "i18n/eo.js"), files)  # a copy
    patch = "*** Begin Patch\n*** Add File: i18n/eo.js\n{}*** End Patch\n"
    added = "".join(f"+{line}\n" for line in FILE.replace("_4", "_x").splitlines())
    assert outcome(patch.format(added), files)
    assert outcome(whole(CHANGED, "v2.py"), {"v1.py": FILE})  # numbers are meant
    with pytest.raises(EditRefused, match=r"state\.py is nearly the same"):
        outcome(whole(CHANGED, "satte.py"), {"state.py": FILE})
    with pytest.raises(EditRefused, match=r"v1\.py is nearly the same"):
        outcome(whole(CHANGED, "vi.py"), {"v1.py": FILE})
