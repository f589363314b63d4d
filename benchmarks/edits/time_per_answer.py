"""Time per answer at growing sizes: one file of up to 10,000 lines, up to 100 hunks, each format.

Run as `python benchmarks/edits/time_per_answer.py`; exits 1 if a format is far from linear.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator

from aifactory.edits import MemoryTree, apply, parse

_LINES = (1_250, 2_500, 5_000, 10_000)
_HUNKS = (12, 25, 50, 100)
_MOST = 16.0  # times longer for 8 times the lines, or the hunks; quadratic would be 64
_REPEATS = 3
_PATH = "src/big.py"
Render = Callable[[list[str], list[int]], str]


def main() -> int:
    _say(f"{'format':16}{'lines':>8}{'hunks':>8}{'ms':>10}")
    slow = [name for name, render in _FORMATS.items() if _growth(name, render) > _MOST]
    if slow:
        _say("not linear: " + ", ".join(slow))
    return 1 if slow else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _growth(name: str, render: Render) -> float:
    """How much longer 8 times the lines take, or 8 times the hunks, whichever is more."""
    by_lines = [_measure(name, render, lines, _HUNKS[-1]) for lines in _LINES]
    by_hunks = [_measure(name, render, _LINES[-1], hunks) for hunks in _HUNKS]
    return max(by_lines[-1] / by_lines[0], by_hunks[-1] / by_hunks[0])


def _measure(name: str, render: Render, lines: int, hunks: int) -> float:
    old = [f"    value_{at} = compute({at % 97})  # {at}\n" for at in range(lines)]
    rows = list(range(5, lines, lines // hunks))[:hunks]
    answer, wanted = render(old, rows), _after(old, rows)
    taken = min(_seconds(answer, "".join(old), wanted) for _ in range(_REPEATS))
    _say(f"{name:16}{lines:>8}{hunks:>8}{taken * 1e3:>10.1f}")
    return taken


def _seconds(answer: str, file: str, wanted: str) -> float:
    tree = MemoryTree({_PATH: file.encode()})
    started = time.process_time()
    changes = apply(parse(answer), tree)
    taken = time.process_time() - started
    assert changes == {_PATH: wanted.encode()}
    return taken


def _changed(line: str) -> str:
    return line.replace("compute", "solve")


def _pieces(old: list[str], rows: list[int]) -> Iterator[tuple[list[str], str, list[str]]]:
    for row in rows:
        yield old[row - 3 : row], old[row], old[row + 1 : row + 4]


def _whole(old: list[str], rows: list[int]) -> str:
    return f"{_PATH}\n```\n{_after(old, rows)}```\n"


def _after(old: list[str], rows: list[int]) -> str:
    chosen = set(rows)
    return "".join(_changed(line) if at in chosen else line for at, line in enumerate(old))


def _search_replace(old: list[str], rows: list[int]) -> str:
    return "".join(
        f"{_PATH}\n```\n<<<<<<< SEARCH\n{''.join(above)}{line}{''.join(below)}=======\n"
        f"{''.join(above)}{_changed(line)}{''.join(below)}>>>>>>> REPLACE\n```\n"
        for above, line, below in _pieces(old, rows)
    )


def _hunks(old: list[str], rows: list[int], header: Callable[[int], str]) -> str:
    hunks = []
    for row, (above, line, below) in zip(rows, _pieces(old, rows), strict=True):
        body = [f" {text}" for text in above] + [f"-{line}", f"+{_changed(line)}"]
        hunks.append(header(row) + "".join([*body, *(f" {text}" for text in below)]))
    return "".join(hunks)


def _udiff(old: list[str], rows: list[int]) -> str:
    hunks = _hunks(old, rows, lambda row: f"@@ -{row - 2},7 +{row - 2},7 @@\n")
    return f"diff --git a/{_PATH} b/{_PATH}\n--- a/{_PATH}\n+++ b/{_PATH}\n{hunks}"


def _v4a(old: list[str], rows: list[int]) -> str:
    hunks = _hunks(old, rows, lambda row: "@@\n")
    return f"*** Begin Patch\n*** Update File: {_PATH}\n{hunks}*** End Patch\n"


def _json(old: list[str], rows: list[int]) -> str:
    edits = [{"path": _PATH, "old": old[row], "new": _changed(old[row])} for row in rows]
    return json.dumps({"edits": edits})


_FORMATS: dict[str, Render] = {
    "whole": _whole,
    "search_replace": _search_replace,
    "udiff": _udiff,
    "v4a": _v4a,
    "json": _json,
}

if __name__ == "__main__":
    sys.exit(main())
