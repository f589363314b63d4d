"""What the files of the same kind as a new one have in common."""

from __future__ import annotations

from itertools import islice

from aifactory.edits.tree import Tree

_MANY = 20  # files that are looked at


def ends_in_crlf(path: str, tree: Tree) -> bool:
    """Whether the files with the extension of `path`, or all where there are none, have CRLF."""
    known = [other for other in tree.paths() if tree.symlink(other) is None]
    ending = _ending(path)
    alike = [other for other in known if _ending(other) == ending] or known
    texts = [data for other in islice(alike, _MANY) if b"\n" in (data := tree.read(other) or b"")]
    return bool(texts) and all(data.count(b"\n") == data.count(b"\r\n") for data in texts)


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2] if "." in name else ""
