"""Make the named attempts and print what each got: `run.py LAB_JSON [NAME ...]`."""

from __future__ import annotations

import json
import os
import sys

import files  # noqa: F401 - registers its attempts
import kernel  # noqa: F401 - registers its attempts
import network  # noqa: F401 - registers its attempts
import processes  # noqa: F401 - registers its attempts
from base import ATTEMPTS, made_it

if __name__ == "__main__":
    lab = json.loads(sys.argv[1])
    lab.setdefault("parent", os.getppid())
    names = sys.argv[2:] or list(ATTEMPTS)
    sys.stdout.write(json.dumps({name: made_it(name, lab) for name in names}) + "\n")
