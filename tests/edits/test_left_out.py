"""Answers that stand for more than they say: code left out, names with remarks, lost marks."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from aifactory.edits import MemoryTree, apply, parse
from aifactory.errors import AnswerUnusable, EditRefused

_FILE = "def f(a):\n    x = a + 1\n    y = x * 2\n    z = y - 3\n    return z\n"
_LAZY = "def f(a, b):\n    # ... existing code ...\n    return z\n"


def _outcome(answer: str, files: dict[str, str], format: str = "auto") -> dict[str, str | None]:
    tree = MemoryTree({path: text.encode() for path, text in files.items()})
    changes = apply(parse(answer, format=format), tree)
    return {path: data and data.decode() for path, data in changes.items()}


def _block(old: str, new: str, path: str = "m.py") -> str:
    return f"{path}\n```\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n```\n"


def _json(old: str, new: str) -> str:
    return json.dumps({"edits": [{"op": "replace", "path": "m.py", "old": old, "new": new}]})


def _v4a(old: str, new: str) -> str:
    removed = "".join(f"-{line}\n" for line in old.splitlines())
    added = "".join(f"+{line}\n" for line in new.splitlines())
    return f"*** Begin Patch\n*** Update File: m.py\n@@\n{removed}{added}*** End Patch\n"


@pytest.mark.parametrize("write", [_block, _json, _v4a])
@pytest.mark.parametrize(
    "words",
    ["# ... existing code ...", "# rest of the code unchanged", "# other lines stay the same",
     "# <snip>", "# [previous code omitted]"],
)  # fmt: skip
def test_new_lines_that_stand_for_removed_ones(
    write: Callable[[str, str], str], words: str
) -> None:
    with pytest.raises(EditRefused, match="in place of lines"):
        _outcome(write(_FILE, _LAZY.replace("# ... existing code ...", words)), {"m.py": _FILE})
    known = _FILE.replace("    x = a + 1\n", f"    {words}\n    x = a + 1\n")
    changed = known.replace("z = y - 3\n    return z", "return y - 3")
    assert _outcome(write(known, changed), {"m.py": known}) == {"m.py": changed}


@pytest.mark.parametrize(
    "name",
    ["src/m.py (updated)", "[src/m.py](src/m.py)", "**src/m.py** (new file):", "`src/m.py` (full)"],
)
def test_remarks_are_no_part_of_a_name(name: str) -> None:
    assert _outcome(f"{name}\n```\nx = 2\n```\n", {"src/m.py": "x = 1\n"}) == {
        "src/m.py": "x = 2\n"
    }


@pytest.mark.parametrize("name", ["src/m.py modified", "src/m.py - new text"])
def test_words_behind_the_name_of_a_file_make_no_new_file(name: str) -> None:
    with pytest.raises(EditRefused, match=r"src/m\.py is nearly the same"):
        _outcome(f"{name}\n```\nx = 2\n```\n", {"src/m.py": "x = 1\n"})


def test_names_behind_a_fence() -> None:
    fences = {".gitignore": "", "LICENSE": "", "src/a b/c d.py": "python "}
    for name, language in fences.items():
        assert _outcome(f"```{language}{name}\nx\ny\n```\n", {}) == {name: "x\ny\n"}
    with pytest.raises(EditRefused, match=r"my file\.txt is nearly the same"):
        _outcome("```my file.txt\nx\n```\n", {"my file.txt": "y\n"})


def test_the_prefix_of_a_diff_in_a_rename() -> None:
    rename = {"op": "rename", "path": "a/m.py", "to": "b/n.py"}
    assert _outcome(json.dumps([rename]), {"m.py": _FILE}) == {"m.py": None, "n.py": _FILE}


def test_a_folder_called_a_in_an_answer_that_names_others_without_prefix() -> None:
    edits = [{"op": "write", "path": "a/new.txt", "content": "x\n"}]
    other = {"op": "replace", "path": "m.py", "old": "a + 1", "new": "a + 2"}
    assert "new.txt" in _outcome(json.dumps(edits), {"m.py": _FILE})
    assert "a/new.txt" in _outcome(json.dumps([*edits, other]), {"m.py": _FILE})


@pytest.mark.parametrize("tag", ["think", "thinking"])
def test_what_a_model_thinks_is_no_part_of_its_answer(tag: str) -> None:
    draft, meant = _json("a + 1", "a + 7"), _json("a + 1", "a + 2")
    changed = {"m.py": _FILE.replace("a + 1", "a + 2")}
    assert _outcome(f"<{tag}>\nMaybe {draft}?\n</{tag}>\n{meant}", {"m.py": _FILE}) == changed
    with pytest.raises(AnswerUnusable, match="before its thoughts do"):
        parse(f"<{tag}>\n{meant}")


@pytest.mark.parametrize(
    "end",
    ["... (output truncated)", "...", "[continued in the next message]",
     'I have reached the output limit; say "continue" for the rest.'],
)  # fmt: skip
def test_an_answer_that_says_that_it_is_cut_off(end: str) -> None:
    diff = "--- a/m.py\n+++ b/m.py\n@@ -2,1 +2,1 @@\n-    x = a + 1\n+    x = a + 2\n"
    assert _outcome(diff, {"m.py": _FILE})
    with pytest.raises(AnswerUnusable, match="is cut off"):
        parse(diff + end)


def test_words_for_an_end_in_the_text_of_a_file_are_none() -> None:
    file = "x = 1\n# the token limit\n"
    diff = "--- a/m.py\n+++ b/m.py\n@@ -1,2 +1,2 @@\n-x = 1\n+x = 2\n # the token limit\n"
    assert _outcome(diff, {"m.py": file}) == {"m.py": file.replace("1", "2")}
    changed = {"m.py": "y  # token limit\n# the token limit\n"}
    assert _outcome(_json("x = 1", "y  # token limit"), {"m.py": file}) == changed


def test_a_mark_of_a_block_in_its_text() -> None:
    with pytest.raises(AnswerUnusable, match="its end is not clear"):
        parse(_block("a\n", "b\n>>>>>>> REPLACE\nc\n"))


def test_a_divider_that_is_missing_among_lines_that_look_like_it() -> None:
    block = _block("========\nT\n========\n\na\n", "").replace("\n=======\n", "\n")
    with pytest.raises(AnswerUnusable, match="several that look like it"):
        parse(block)


def test_a_diff_in_the_text_of_a_file_without_a_name_is_no_answer() -> None:
    body = "echo 1\n" * 6 + "cat <<EOF\n--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-x\n+y\nEOF\n"
    with pytest.raises(AnswerUnusable, match="there is no edit"):
        parse(f"```bash\n{body}```\n", format="whole")


def test_names_before_and_after_that_differ_without_a_word_of_a_rename() -> None:
    diff = "--- a/m.py\n+++ b/mm.py\n@@ -2,1 +2,1 @@\n-    x = a + 1\n+    x = a + 2\n"
    with pytest.raises(AnswerUnusable, match="does not say that it renames"):
        parse(diff)


def test_signs_written_as_entities_in_lines_that_stay() -> None:
    file = "a < b\nc = 1\nd = 2\ne = 3\nf = 4\n"
    block = _block(file.replace("<", "&lt;"), file.replace("<", "&lt;") + "g &gt; h\n")
    with pytest.raises(EditRefused, match="as entities of HTML"):
        _outcome(block, {"m.py": file})


def test_white_space_at_the_end_of_lines_that_is_lost_everywhere() -> None:
    file = "# T  \nx\ny\n"
    whole = "m.md\n```\n{}```\n"
    with pytest.raises(EditRefused, match="white space at the end"):
        _outcome(whole.format("# T\nx\nz\n"), {"m.md": file})
    assert _outcome(whole.format("# T\nx\ny\n"), {"m.md": file}) == {"m.md": "# T\nx\ny\n"}
    assert _outcome(whole.format("# T  \nx\nz\n"), {"m.md": file}) == {"m.md": "# T  \nx\nz\n"}


def test_a_file_that_would_change_in_its_line_ends_only() -> None:
    with pytest.raises(EditRefused, match="only line ends differ"):
        _outcome("m.py\n```\nx\ny\n```\n", {"m.py": "x\r\ny\r\n"})


@pytest.mark.parametrize("data", ["x\n".encode("utf-16"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_a_file_that_is_no_text_is_not_written_over(data: bytes) -> None:
    with pytest.raises(EditRefused, match="is binary, or in UTF-16"):
        apply(parse("m.py\n```\nx\n```\n"), MemoryTree({"m.py": data}))


def test_a_line_behind_the_last_one_ends_it_as_the_others_end() -> None:
    for write in (_block, _json):
        old, new = ("y\n", "y\nz\n") if write is _block else ("y", "y\nz")
        assert _outcome(write(old, new), {"m.py": "x\r\ny"}) == {"m.py": "x\r\ny\r\nz"}


def test_a_block_that_has_lost_its_indentation_and_the_steps_inside() -> None:
    file = "f {\n    a;\n    b;\n}\n"
    flat = _block("a;\nb;\n", "a;\nif c {\nd;\n}\nb;\n")
    with pytest.raises(EditRefused, match="in no uniform way"):
        _outcome(flat, {"m.py": file})
    halved = _block("f {\n  a;\n", "f {\n  c;\n  a;\n")
    with pytest.raises(EditRefused, match="in no uniform way"):
        _outcome(halved, {"m.py": file})
