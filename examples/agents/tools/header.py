"""Puts the name of the shop on top of the files that are named."""

import sys
from pathlib import Path

HEADER = "# The small shop\n"

for name in sys.argv[1:]:
    path = Path(name)
    text = path.read_text()
    if not text.startswith(HEADER):
        path.write_text(HEADER + text)
