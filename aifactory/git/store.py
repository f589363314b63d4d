"""The objects of a repository, read through one long-lived Git and written in process."""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aifactory import files
from aifactory.errors import GitFailed
from aifactory.git.batch import Batch
from aifactory.git.command import Commands
from aifactory.git.objects import Entry, Identity, format_commit, parse_tree

TRIES = 100  # to write into a directory that others remove


@dataclass(frozen=True)
class Store(Commands):
    """Blobs, trees and commits."""

    _batch: Batch = field(default_factory=Batch, repr=False, compare=False)

    # reading

    def resolve(self, revision: str) -> str | None:
        """The object id that a revision names, or None."""
        out = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", revision, ok=(0, 1))
        return out.decode().strip() or None

    def object(self, name: str) -> tuple[str, bytes] | None:
        """Type and bytes of an object by id or `<rev>:<path>`; None when there is none."""
        found = self._batch.read(self, name)
        return found and found[1:]

    def tip(self, ref: str) -> str | None:
        """The commit that a ref holds, or None; without a new process where there is one."""
        found = self._batch.read(self, ref)
        return found[0] if found else self.resolve(ref)

    def id_of(self, kind: str, data: bytes) -> str:
        """The id that an object has."""
        return hashlib.new(self.object_format, f"{kind} {len(data)}\0".encode() + data).hexdigest()

    def blob(self, name: str) -> bytes | None:
        found = self.object(name)
        return found[1] if found and found[0] == "blob" else None

    def objects(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Type and bytes of many objects that exist, in order, by one command."""
        asked = "".join(f"{name}\n" for name in names).encode()
        out = self.run("cat-file", "--batch", "--buffer", input=asked)
        at = 0
        for name in names:
            head = out[at : out.index(b"\n", at)]
            at += len(head) + 1
            *_, kind, size = head.split(b" ")
            if not size.isdigit():
                raise GitFailed(f"there is no object {name}")
            yield kind.decode(), out[at : at + int(size)]
            at += int(size) + 1

    def blobs(self, oids: Sequence[str]) -> Iterator[bytes]:
        """The bytes of many blobs that exist, in order, by one command."""
        return (data for _, data in self.objects(oids))

    def entries(self, treeish: str) -> dict[str, Entry]:
        """The direct entries of a tree, by name; empty for the empty string."""
        if not treeish:
            return {}
        kind, data = self.object(treeish) or ("", b"")
        if kind == "commit":
            return self.entries(data[5 : 5 + len(self.null)].decode())
        if kind != "tree":
            raise GitFailed(f"there is no tree {treeish}")
        return self.parsed(data)

    def parsed(self, tree: bytes) -> dict[str, Entry]:
        """The entries in the bytes of a tree."""
        return parse_tree(tree, len(self.null) // 2)

    def tree(self, treeish: str, ending: str = "") -> dict[str, Entry]:
        """Every path of a tree, at any depth, that ends so; empty for the empty string."""
        if not treeish:
            return {}
        found: dict[str, Entry] = {}
        records = self.run("ls-tree", "-r", "-z", "--full-tree", treeish).split(b"\0")[:-1]
        for record in (one for one in records if one.endswith(ending.encode())):
            head, path = record.split(b"\t", 1)
            mode, _, oid = head.decode().split(" ")
            found[path.decode(errors="surrogateescape")] = Entry(mode, oid)
        return found

    def changed(self, old: str, new: str) -> dict[str, tuple[Entry | None, Entry | None]]:
        """Every path that differs between two trees (`""`: an empty one), before and after."""
        base = old or self.write("tree", b"")
        out = self.run("diff-tree", "-r", "-z", "--raw", "--no-renames", base, new)
        parts = out.decode(errors="surrogateescape").split("\0")
        found = {}
        for head, path in zip(parts[0::2], parts[1::2], strict=False):
            modes = head.removeprefix(":").split(" ")
            before, after = Entry(modes[0], modes[2]), Entry(modes[1], modes[3])
            found[path] = (_present(before), _present(after))
        return found

    def tree_of(self, commit: str) -> str:
        """The tree of a commit; of an unborn branch (`""`) the empty tree."""
        return self.resolve(f"{commit}^{{tree}}") or "" if commit else self.write("tree", b"")

    # writing

    def write(self, kind: str, data: bytes) -> str:
        return self.write_many([(kind, data)])[0]

    def write_many(self, objects: Iterable[tuple[str, bytes]]) -> list[str]:
        """Write objects in process and synced; in a quarantine, unsynced. Gives their ids."""
        root = self.quarantine or self.git_dir / "objects"
        oids, folders = [], set()
        for kind, data in objects:
            raw = f"{kind} {len(data)}\0".encode() + data
            oid = hashlib.new(self.object_format, raw).hexdigest()
            oids.append(oid)
            path = root / oid[:2] / oid[2:]
            if not _freshened(path):
                self._write_loose(path, zlib.compress(raw, 1))
                folders.add(path.parent)
        if not self.quarantine:
            for folder in folders:
                with suppress(FileNotFoundError):  # what lay there has been packed
                    files.sync_dir(folder)
            if folders:
                files.sync_dir(root)
        return oids

    def _write_loose(self, path: Path, data: bytes) -> None:
        """A `git gc` of a person's removes empty directories, also between two steps of ours."""
        for _ in range(TRIES):
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                return self._place(path, data)
        raise GitFailed(f"{path.parent} is removed again and again")

    def _place(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f"tmp_obj_{os.getpid()}_{threading.get_ident()}")
        if self.quarantine:
            temporary.write_bytes(data)
        else:
            temporary.unlink(missing_ok=True)
            files.write_new(temporary, data, 0o444)
        files.rename(temporary, path)

    def write_commit(
        self,
        tree: str,
        parents: Sequence[str],
        message: str,
        author: Identity,
        committer: Identity,
        at: int,
    ) -> str:
        """Write a commit; `at` is seconds since the epoch, UTC."""
        return self.write("commit", format_commit(tree, parents, message, author, committer, at))

    def close(self) -> None:
        self._batch.close()


def _freshened(path: Path) -> bool:
    """Whether an object is there already; then it counts as new, so that no `git gc` removes it."""
    with suppress(OSError):  # one of another user's stays as old as it is
        os.utime(path)
    try:
        # An empty file of this name is what an unclean power-off leaves; Git never repairs it.
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _present(entry: Entry) -> Entry | None:
    return entry if int(entry.mode, 8) else None
