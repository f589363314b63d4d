"""`python -m aifactory` is the command `aifactory`."""

from __future__ import annotations

from aifactory.cli import main

if __name__ == "__main__":
    main()
