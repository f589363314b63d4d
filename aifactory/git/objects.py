"""The bytes of Git's trees and commits, read and written in process."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Entry(NamedTuple):
    """One path of a tree: its mode as Git writes it (`100644`) and its object id."""

    mode: str
    oid: str


class Identity(NamedTuple):
    name: str
    email: str


def format_commit(
    tree: str,
    parents: Sequence[str],
    message: str,
    author: Identity,
    committer: Identity,
    at: int,
) -> bytes:
    """The bytes of a commit object."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    for role, who in (("author", author), ("committer", committer)):
        name, email = (re.sub(r"[<>\x00-\x1f]", "", part).strip() or "unknown" for part in who)
        lines.append(f"{role} {name} <{email}> {at} +0000")
    body = "\n".join(lines) + "\n\n" + message.rstrip("\n") + "\n"
    return body.encode(errors="surrogateescape")


def parse_tree(data: bytes, id_bytes: int) -> dict[str, Entry]:
    found, at = {}, 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        oid = data[end + 1 : end + 1 + id_bytes].hex()
        name = data[space + 1 : end].decode(errors="surrogateescape")
        found[name] = Entry(data[at:space].decode().zfill(6), oid)
        at = end + 1 + id_bytes
    return found


def format_tree(entries: Mapping[str, Entry]) -> bytes:
    """The bytes of a tree object; Git sorts a directory as if its name ended in a slash."""

    def key(item: tuple[str, Entry]) -> bytes:
        name = item[0].encode(errors="surrogateescape")
        return name + b"/" if item[1].mode == "040000" else name

    return b"".join(
        entry.mode.lstrip("0").encode()
        + b" "
        + name.encode(errors="surrogateescape")
        + b"\0"
        + bytes.fromhex(entry.oid)
        for name, entry in sorted(entries.items(), key=key)
    )
