"""Runs the demo on a terminal of its own and keeps its screen in docs/: `make pictures`."""

from __future__ import annotations

import io
import os
import pty
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

FOLDER = Path(__file__).resolve().parent
WIDTH = 108
RUNNING = re.compile(r"(\d+) running")
FONTS = re.compile(r" *@font-face \{.*?\}\n", re.DOTALL)  # each viewer would fetch them
_STEP = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+")


def record(root: str) -> str:
    """Everything that the demo writes to a terminal of `WIDTH` columns."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    chunks: list[bytes] = []

    def read(fd: int) -> bytes:
        chunks.append(os.read(fd, 65536))
        return b"."

    command = f"stty cols {WIDTH} rows 40; exec aifactory demo --dir {root}"
    pty.spawn(["sh", "-c", command], read)
    return b"".join(chunks).decode()


def screens(text: str) -> list[list[str]]:
    """The lines on the screen, colours included, after each line that was written."""
    lines, row, found = [""], 0, []
    for step in _STEP.finditer(text):
        if step[0] == "\n":
            row += 1
            lines += [""] * (row == len(lines))
            found.append(list(lines))
        elif step[2] == "A":
            row -= int(step[1] or 1)
        elif step[2] == "K":
            lines[row] = ""
        elif step[2] == "m" or not step[2]:
            lines[row] += step[0].replace("\r", "")
    return [*found, lines]


def busiest(found: list[list[str]]) -> list[str]:
    """The last screen on which most tasks are at work."""

    def running(screen: list[str]) -> int:
        return max(map(int, RUNNING.findall("\n".join(screen))), default=0)

    return max(reversed(found), key=running)


def draw(screen: list[str], name: str, root: str) -> None:
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="256")
    for line in screen:
        console.print(Text.from_ansi(line.replace(root, "~/demo")), soft_wrap=False)
    drawn = console.export_svg(title="aifactory demo", unique_id=name.partition(".")[0])
    (FOLDER / name).write_text(FONTS.sub("", drawn))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        root = str(Path(folder) / "demo")
        found = screens(record(root))
        draw(busiest(found), "live.svg", root)
        draw(found[-1], "demo.svg", root)


if __name__ == "__main__":
    main()
