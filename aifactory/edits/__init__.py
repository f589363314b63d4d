"""Answers of models, applied exactly as intended or refused with a reason.

`parse` turns an answer in any of five formats into `Edits`; `apply` gives the bytes of every file
that they change. Neither touches a disk.
"""

from __future__ import annotations

from aifactory.edits.blocks import Edits
from aifactory.edits.names import expecting
from aifactory.edits.parsing import FORMATS, parse
from aifactory.edits.steps import apply
from aifactory.edits.tree import MemoryTree, Tree

__all__ = ["FORMATS", "Edits", "MemoryTree", "Tree", "apply", "expecting", "parse"]
