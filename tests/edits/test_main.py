"""The applier as a program of its own."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any


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
