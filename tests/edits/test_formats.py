"""Each format as its users write it."""

from __future__ import annotations

import json

import pytest

from aifactory.edits import Edits, MemoryTree, apply, parse
from aifactory.errors import AnswerUnusable, EditRefused, StaleBase
from aifactory.model import sha256


def _apply(answer: str, **files: str) -> dict[str, bytes | None]:
    tree = {name.replace("_", "."): text.encode() for name, text in files.items()}
    return apply(parse(answer), MemoryTree(tree))


def _format(answer: str) -> str:
    return parse(answer).format


def test_whole_files_named_above_the_fence_or_in_it() -> None:
    answer = "Two files:\n\n**src/a.py**\n```python\nx = 1\n```\n\n```js:src/b.js\ny\n```\nDone.\n"
    assert _apply(answer) == {"src/a.py": b"x = 1\n", "src/b.js": b"y\n"}
    assert parse(answer).paths == ("src/a.py", "src/b.js")


@pytest.mark.parametrize(
    "name", ["`m.py`", "### m.py", "File: m.py", "m.py:", "1. `m.py`", "./m.py"]
)
def test_names_as_models_write_them(name: str) -> None:
    assert _apply(f"{name}\n```\nx\n```\n") == {"m.py": b"x\n"}


def test_fences_inside_markdown() -> None:
    inner = "# T\n\n```sh\nls\n```\n\nEnd\n"
    assert _apply(f"R.md\n````\n{inner}````\n") == {"R.md": inner.encode()}
    assert _apply(f"R.md\n```\n{inner}```\n") == {"R.md": inner.encode()}
    with pytest.raises(AnswerUnusable, match="its end is not clear"):
        parse("R.md\n```\n# T\n```\nls\n```\nEnd\n```\n")


def test_a_whole_file_keeps_line_ends_mark_and_missing_newline() -> None:
    answer = "m.py\n```\na\nB\nc\n```\n"
    assert _apply(answer, m_py="\ufeffa\r\nb\r\nc") == {"m.py": "\ufeffa\r\nB\r\nc".encode()}


def test_dots_in_place_of_code_are_refused() -> None:
    old = "".join(f"line {n}\n" for n in range(20))
    with pytest.raises(EditRefused, match="stands for lines that are left out"):
        _apply("m.py\n```\nline 0\n# ... rest unchanged ...\nline 19\nmore\n```\n", m_py=old)


def test_search_and_replace() -> None:
    answer = (
        "m.py\n```python\n<<<<<<< SEARCH\nb\n=======\nB\n>>>>>>> REPLACE\n```\n"
        "\n```\n<<<<<<< SEARCH\nB\n=======\nBB\n>>>>>>> REPLACE\n```\n"
        "new.py\n```\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n```\n"
    )
    assert _apply(answer, m_py="a\nb\nc\n") == {"m.py": b"a\nBB\nc\n", "new.py": b"x\n"}


def test_a_divider_in_the_text() -> None:
    answer = "m.py\n<<<<<<< SEARCH\nT\n=======\nb\n=======\nT\n=======\nc\n>>>>>>> REPLACE\n"
    assert _apply(answer, m_py="x\nT\n=======\nb\n") == {"m.py": b"x\nT\n=======\nc\n"}


def test_a_diff_that_creates_deletes_renames_and_makes_executable() -> None:
    answer = (
        "diff --git a/n.py b/n.py\nnew file mode 100755\n--- /dev/null\n+++ b/n.py\n"
        "@@ -0,0 +1,2 @@\n+x\n+y\n\\ No newline at end of file\n"
        "diff --git a/d.py b/d.py\ndeleted file mode 100644\n--- a/d.py\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-gone\n"
        "diff --git a/r.py b/s.py\nsimilarity index 90%\nrename from r.py\nrename to s.py\n"
        "--- a/r.py\n+++ b/s.py\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n"
    )
    changes = _apply(answer, d_py="gone\n", r_py="a\nb\n")
    assert changes == {"n.py": b"x\ny", "d.py": None, "r.py": None, "s.py": b"a\nB\n"}
    assert parse(answer).modes == {"n.py": "100755"}


def test_a_diff_of_a_quoted_name() -> None:
    answer = '--- "a/\\303\\244.py"\n+++ "b/\\303\\244.py"\n@@ -1 +1 @@\n-a\n+b\n'
    assert _apply(answer, ä_py="a\n") == {"ä.py": b"b\n"}


def test_an_envelope_with_anchors_and_end_of_file() -> None:
    file = "def f():\n    x\n    return 1\n\ndef g():\n    y\n    return 1\n"
    anchored = "*** Begin Patch\n*** Update File: m.py\n@@ def g():\n-    return 1\n+    return 2\n"
    assert _apply(f"{anchored}*** End Patch\n", m_py=file) == {
        "m.py": file[:-9].encode() + b"return 2\n"
    }
    tied = anchored.replace(" def g():", "") + "*** End of File\n*** End Patch\n"
    assert _apply(tied, m_py=file) == {"m.py": file[:-9].encode() + b"return 2\n"}


def test_json_edits_in_order() -> None:
    edits = [
        {"op": "replace", "path": "m.py", "old": "x = 1", "new": "y = 1"},
        {"op": "replace", "path": "m.py", "old": "y = 1\n", "new": "z = 1\n"},
        {"op": "rename", "path": "m.py", "to": "n.py"},
        {"op": "write", "path": "w.py", "content": "w"},
        {"op": "delete", "path": "d.py"},
    ]
    answer = f"Here:\n```json\n{json.dumps({'edits': edits}, indent=1)[:-3]},\n]}}\n```\n"
    changes = _apply(answer, m_py="a\nx = 1\n", d_py="d")
    assert changes == {"m.py": None, "n.py": b"a\nz = 1\n", "w.py": b"w", "d.py": None}


def test_json_writes_with_the_hash_of_their_base() -> None:
    def answer(base: bytes) -> str:
        write = {"path": "m.py", "base_sha256": sha256(base), "content": "new\n"}
        return f"```json\n{json.dumps({'summary': 'Why.', 'writes': [write]})}\n```"

    assert _apply(answer(b"old\n"), m_py="old\n") == {"m.py": b"new\n"}
    assert _apply(answer(b"")) == {"m.py": b"new\n"}
    assert parse(answer(b"")).summary == "Why."
    with pytest.raises(StaleBase, match="base_sha256"):
        _apply(answer(b"other"), m_py="old\n")


def test_json_text_must_occur_once() -> None:
    edit = json.dumps([{"path": "m.py", "old": "x", "new": "y"}])
    with pytest.raises(EditRefused, match=r"more than once \(lines 1, 2\)"):
        _apply(edit, m_py="x\nx\n")


@pytest.mark.parametrize(
    ("answer", "format"),
    [
        ("a.py\n```\nx\n```\n", "whole"),
        ("a.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n", "search_replace"),
        ("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x\n+y\n", "udiff"),
        ("*** Begin Patch\n*** Delete File: a.py\n*** End Patch", "v4a"),
        ('{"edits": [{"op": "delete", "path": "a.py"}]}', "json"),
    ],
)
def test_the_format_is_recognised(answer: str, format: str) -> None:
    assert _format(answer) == format


def test_edits_are_values() -> None:
    edits = parse("a.py\n```\nx\n```\n")
    assert isinstance(edits, Edits)
    with pytest.raises(AttributeError):
        edits.summary = "other"


def test_a_second_text_for_a_file_is_refused() -> None:
    assert _apply("a.py\n```\nx\n```\n" * 2) == {"a.py": b"x\n"}
    with pytest.raises(EditRefused, match="two different texts"):
        _apply("a.py\n```\nx\n```\na.py\n```\ny\n```\n")


def test_a_file_where_a_folder_is() -> None:
    with pytest.raises(EditRefused, match="a folder of this name"):
        apply(parse("src/a\n```\nx\n```\n"), MemoryTree({"src/a/b.py": b""}))


@pytest.mark.parametrize(
    "answer",
    [
        "{'edits': [{'path': 'm.py', 'old': 'b', 'new': \"it's\"}]}",
        '{"edits": [{"path": "m.py", "old": "b", "new": "it\'s"}]}',
        (
            'One:\n{"edits": [{"path": "m.py", "old": "b", "new": "it"}]}\n'
            'Two:\n{"edits": [{"path": "m.py", "old": "c", "new": "\'s"}]}\n'
        ),
    ],
    ids=["single quotes", "valid", "two objects"],
)
def test_json_that_can_be_read_in_one_way(answer: str) -> None:
    wanted = b"a\nit\n's\n" if "Two" in answer else b"a\nit's\nc\n"
    assert _apply(answer, m_py="a\nb\nc\n") == {"m.py": wanted}


def test_a_quote_that_lacks_its_backslash() -> None:
    answer = '{"edits": [{"path": "m.py", "old": "b", "new": "say("hi")"}]}'
    assert _apply(answer, m_py="a\nb\nc\n") == {"m.py": b'a\nsay("hi")\nc\n'}
    with pytest.raises(AnswerUnusable, match="not valid JSON"):
        _apply(answer.replace('say("hi")', 'say "", "hi"'), m_py="a\nb\nc\n")


def test_two_objects_that_write_one_file_and_one_that_is_cut_off() -> None:
    write = '{"edits": [{"op": "write", "path": "m.py", "content": "%s"}]}\n'
    with pytest.raises(AnswerUnusable, match="2 different JSON objects"):
        parse(write % "a" + write % "b")
    with pytest.raises(AnswerUnusable, match="never closed"):
        parse(write % "a" + "Then:\n" + (write % "b")[:-4])


_EDIT = {"op": "replace", "path": "m.py", "old": "x = 1\ny = 2\n", "new": "x = 1\ny = 'z'\n"}


@pytest.mark.parametrize(
    "answer",
    [
        '{"edits": [ // one\n' + json.dumps(_EDIT) + " /* end */ ]}",
        json.dumps({"edits": [_EDIT]}).replace("'z'", "\\'z\\'"),
        json.dumps(json.dumps({"edits": [_EDIT]})),
        json.dumps({"edits": [_EDIT | {"op": "EDIT"}]}),
        json.dumps(
            {
                "edits": [
                    {"file_path": "m.py", "old_string": _EDIT["old"], "new_string": _EDIT["new"]}
                ]
            }
        ),
        json.dumps({"edits": [_EDIT | {key: _EDIT[key].split("\n") for key in ("old", "new")}]}),
    ],
    ids=["comments", "single quotes", "a text", "another word", "other keys", "lists of lines"],
)
def test_json_as_models_write_it(answer: str) -> None:
    tree = MemoryTree({"m.py": b"x = 1\ny = 2\n"})
    assert apply(parse(answer, format="json"), tree) == {"m.py": b"x = 1\ny = 'z'\n"}


def test_keys_and_words_that_nobody_knows() -> None:
    with pytest.raises(AnswerUnusable, match="'chmod' is none of"):
        _apply(json.dumps({"edits": [_EDIT | {"op": "chmod"}]}), m_py="x\n")
    with pytest.raises(AnswerUnusable, match="`new` is missing"):
        _apply(json.dumps({"edits": [{"path": "m.py", "old": "x", "neu": "y"}]}), m_py="x\n")
