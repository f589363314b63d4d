"""The applier as a program of its own."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from aifactory.edits.__main__ import reply as answered


def _talk(*lines: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "aifactory.edits"],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _request(answer: str, **more: object) -> str:
    files = {"a.py": base64.b64encode(b"x\n").decode()}
    return json.dumps({"id": "1", "format": "auto", "answer": answer, "files": files, **more})


def test_requests_are_answered_in_order() -> None:
    applied, refused, cut, escaped, broken = _talk(
        _request("a.py\n```\ny\n```\n"),
        _request("a.py\n```\nx\n```\n"),
        _request("a.py\n```\ny\n```\n", finish_reason="length"),
        _request("*** Begin Patch\n*** Delete File: a.py\n*** End Patch", symlinks={"a.py": "/x"}),
        "not JSON",
    )
    assert applied == {"status": "applied", "files": {"a.py": base64.b64encode(b"y\n").decode()}}
    assert refused["status"] == cut["status"] == escaped["status"] == "refused"
    assert "changes nothing" in refused["reason"]
    assert "\n" not in cut["reason"]
    assert broken["status"] == "error"
    assert refused["files"] == broken["files"] == {}


def test_the_example_of_the_docs_is_true() -> None:
    page = (Path(__file__).parents[2] / "docs" / "answers.md").read_text()
    request, reply = re.findall(r"^```json\n(.*)\n```$", page, re.MULTILINE)
    assert _talk(request) == [json.loads(reply)]


def test_another_format_is_not_supported() -> None:
    whole = "a.py\n```\ny\n```\n"
    unknown, unasked = _talk(_request(whole, format="ed"), _request(whole, format=None))
    assert unknown["status"] == "unsupported" and "search_replace" in unknown["reason"]
    assert unasked["status"] == "applied"


def test_what_the_model_saw_is_the_base() -> None:
    seen = {"a.py": base64.b64encode(b"old\n").decode()}
    (reply,) = _talk(_request("a.py\n```\ny\n```\n", seen=seen))
    assert reply["status"] == "refused"
    assert reply["reason"].startswith("a.py: has changed in the same lines")


@pytest.mark.parametrize(("come", "written"), [("d", "d/n.py"), ("d/n.py", "d")])
def test_what_has_come_into_being_is_not_in_the_way_of_what_is_written(
    come: str, written: str
) -> None:
    answer = json.dumps({"edits": [{"op": "write", "path": written, "content": "y\n"}]})
    files = {"a.py": "eAo=", come: "eAo="}
    reply = answered(_request(answer, files=files, seen={come: None}).encode())
    assert (reply["status"], reply["files"]) == ("refused", {})
    assert f"{come}: is in the way of {written}" in reply["reason"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "not an object"),
        ("{", "not JSON"),
        ('{"a":' * 100_000, "not JSON"),
        ('{"files": {}}', "`answer` is missing"),
        (_request("x", files=None), "`files` is missing or not an object"),
        (_request("x", files={"a.py": "e!Ao="}), "`a.py` is not base64"),
        (_request("x", files={"a.py": 7}), "`a.py` is missing or not a text"),
        (_request("x", seen=[]), "`seen` is missing or not an object"),
        (_request("x", symlinks={"a.py": None}), "`a.py` is missing or not a text"),
        (_request("x", finish_reason=3), "`finish_reason` is missing or not a text"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_no_request_is_an_error_by_name_and_ends_nothing(line: str, reason: str) -> None:
    reply = answered(line.encode())
    assert (reply["status"], reply["files"]) == ("error", {})
    assert reply["reason"].startswith("no request: ") and reason in reply["reason"]


def test_the_end_of_its_reader_is_its_end() -> None:
    line = (_request("a.py\n```\ny\n```\n") + "\n").encode()
    command = [sys.executable, "-m", "aifactory.edits"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(line)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["status"] == "applied"
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.write(line)
            process.stdin.close()
        assert (process.wait(60), process.stderr.read()) == (0, b"")
