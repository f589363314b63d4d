"""A proposal as a commit that nobody sees yet: objects in a directory of their own, then one pack.

A proposal that is refused never enters the repository, and one synced pack costs two syncs where
loose objects cost one each (study: durability, section 1.1).
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aifactory import failpoints, files, paths
from aifactory.errors import EditRefused, GitFailed, ScopeViolation, StaleBase
from aifactory.git import Entry, Identity, Repository, format_commit, format_tree
from aifactory.layout import Layout
from aifactory.model import Change, Proposal, sha256
from aifactory.trailers import with_trailers

ALTERNATES = "info/alternates"  # where Git looks for more objects, all of them in one file
PACKED = "packed"  # where the pack is made, and what keeps it is remembered
KEEP_TEXT = b"aifactory: its proposal is being recorded\n"
TREE = "040000"
FILES = ("100644", "100755")

Changed = Mapping[str, tuple[Entry | None, Entry | None]]
Sign = Callable[[bytes], str]


@dataclass(frozen=True)
class Candidate:
    """A commit to be gated and landed. `changed` maps a path to its entry before and after."""

    task_id: str
    attempt: int
    target: str
    base: str  # commit id; "" on an unborn branch
    tree: str
    commit: str
    changed: Changed
    quarantine: Path
    repository: Repository = field(compare=False)  # reads and writes the quarantine


def prepare(
    repository: Repository,
    layout: Layout,
    proposal: Proposal,
    *,
    target: str,
    message: str,
    author: Identity,
    committer: Identity,
    at: int,
    sign: Sign | None = None,
) -> Candidate:
    """Build the commit of a proposal on its base, in quarantine; `at` is seconds since the epoch.

    The base may be a candidate that is not published: `repository` is that candidate's then. Only
    directories on the way to a change are read and written. ScopeViolation for a path that no
    file may have, EditRefused for one that is no regular file, StaleBase for other bytes below.
    """
    folder = layout.quarantine / f"{proposal.task_id}.{proposal.attempt}.{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    inside = Repository(repository.root, repository.git_dir, repository.object_format, folder)
    with removed_on_error(folder):
        _stand_on(folder, repository.quarantine)
        changed = planned(repository, inside, proposal)
        new = {path: after for path, (_, after) in changed.items()}
        tree = rebuilt(repository, inside, proposal.base, new) or inside.write("tree", b"")
        parents = [proposal.base] if proposal.base else []
        said = with_trailers(message, proposal.task_id, proposal.attempt)
        body = format_commit(tree, parents, said, author, committer, at)
        commit = inside.write("commit", signed(body, sign, repository.object_format))
    return Candidate(
        task_id=proposal.task_id,
        attempt=proposal.attempt,
        target=target,
        base=proposal.base,
        tree=tree,
        commit=commit,
        changed=changed,
        quarantine=folder,
        repository=inside,
    )


def _stand_on(folder: Path, below: Path | None) -> None:
    """Let a quarantine read what lies in the one below it, and in those that this one reads."""
    if below:
        known = below / ALTERNATES
        lower = known.read_bytes() if known.exists() else b""
        files.make_dir((folder / ALTERNATES).parent)
        (folder / ALTERNATES).write_bytes(lower + os.fsencode(below) + b"\n")


@contextmanager
def removed_on_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def reopened(
    repository: Repository, layout: Layout, commit: str, *, target: str, task_id: str, attempt: int
) -> Candidate:
    """The candidate of a commit that was published before, say before a restart."""
    parents = repository.run("rev-list", "--parents", "-n1", commit).decode().split()[1:]
    base = parents[0] if parents else ""
    tree = repository.tree_of(commit)
    return Candidate(
        task_id=task_id,
        attempt=attempt,
        target=target,
        base=base,
        tree=tree,
        commit=commit,
        changed=repository.changed(base, commit),
        quarantine=layout.quarantine / "none",
        repository=repository,
    )


def planned(repository: Repository, inside: Repository, proposal: Proposal) -> Changed:
    """Every path that really changes, with its entry before and after; the blobs are written."""
    entries = _Lookup(repository, proposal.base)
    changed = {}
    for change in proposal.changes:
        if why := paths.refusal(change.path):
            raise ScopeViolation(f"the path {change.path!r} {why}")
        old = entries.find(change.path)
        if old and old.mode == TREE and change.content is not None:
            old = None  # its files have to go in the same proposal; `rebuilt` sees to it
        _refuse_odd(repository, change, old)
        new = None
        if change.content is not None:
            new = Entry(change.mode, inside.write("blob", change.content))
        if new != old:
            changed[change.path] = (old, new)
    return dict(sorted(changed.items()))


def _refuse_odd(repository: Repository, change: Change, old: Entry | None) -> None:
    if old and old.mode not in FILES:
        kind = {TREE: "a directory", "120000": "a symbolic link"}.get(old.mode, "a submodule")
        raise EditRefused(f"{change.path} is {kind}")
    if change.base_sha256 is not None:
        below = repository.blob(old.oid) if old else None
        if below is None or sha256(below) != change.base_sha256:
            raise StaleBase(f"{change.path} is not what the change was made on")


class _Lookup:
    """Entries of a commit by path; each directory on the way is read once."""

    def __init__(self, repository: Repository, commit: str) -> None:
        self._repository = repository
        self._commit = commit
        self._folders: dict[str, Mapping[str, Entry]] = {}

    def find(self, path: str) -> Entry | None:
        folder, _, name = path.rpartition("/")
        return self._folder(folder).get(name)

    def _folder(self, path: str) -> Mapping[str, Entry]:
        if path not in self._folders:
            treeish = self._commit
            if path:
                above = self.find(path)
                treeish = above.oid if above and above.mode == TREE else ""
            self._folders[path] = self._repository.entries(treeish)
        return self._folders[path]


def rebuilt(
    repository: Repository, inside: Repository, treeish: str, new: Mapping[str, Entry | None]
) -> str:
    """The tree with these paths set or (None) removed; `""` is an empty one, here and there."""
    entries = repository.entries(treeish)
    here: dict[str, Entry | None] = {}
    below: dict[str, dict[str, Entry | None]] = {}
    for path, entry in new.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = entry
        else:
            here[name] = entry
    for name, entry in here.items():
        if entry is None:
            entries.pop(name, None)
    for name, inner in below.items():
        old = entries.pop(name, None)
        if old and old.mode != TREE:
            raise EditRefused(f"{name} is no directory, and {name}/{next(iter(inner))} changes")
        if subtree := rebuilt(repository, inside, old.oid if old else "", inner):
            entries[name] = Entry(TREE, subtree)
    for name, entry in here.items():
        if entry is not None:
            if name in entries and entries[name].mode == TREE:
                raise EditRefused(f"{name} is a directory, and files are left in it")
            entries[name] = entry
    return inside.write("tree", format_tree(entries)) if entries else ""


def signed(commit: bytes, sign: Sign | None, object_format: str) -> bytes:
    """The commit with the signature of its bytes in the header where Git looks for it."""
    if sign is None:
        return commit
    name = "gpgsig" if object_format == "sha1" else "gpgsig-sha256"
    header = f"{name} " + sign(commit).rstrip("\n").replace("\n", "\n ")
    head, _, message = commit.partition(b"\n\n")
    return head + b"\n" + header.encode() + b"\n\n" + message


def publish(repository: Repository, candidate: Candidate) -> None:
    """Bring the objects into the repository as one synced pack. May be done again.

    Until a ref names the commit, `git repack -ad` of a person's would take the pack away, so it is
    marked to be kept until `discard`.
    """
    failpoints.hit("publish.begun")
    if oids := written(candidate.quarantine):
        objects = repository.git_dir / "objects"
        packs = files.make_dir(objects / "pack")
        packed = files.make_dir(candidate.quarantine / PACKED)
        arguments = ("-c", "pack.packSizeLimit=0", "pack-objects", "-q", "--window=0")
        listed = "".join(f"{oid}\n" for oid in oids).encode()
        name = candidate.repository.run(*arguments, str(packed / "pack"), input=listed)
        keep = packed / f"pack-{name.decode().strip()}.keep"
        keep.write_bytes(KEEP_TEXT)
        files.copy(keep, packs / keep.name)
        for kind in ("pack", "rev", "idx"):  # Git looks for the index first, so it comes last
            if (part := keep.with_suffix(f".{kind}")).exists():
                files.rename(part, packs / part.name)
        failpoints.hit("publish.packed")
        files.sync_dir(packs)
        files.sync_dir(objects)
    if repository.object(candidate.commit) is None:
        raise GitFailed(f"{candidate.commit} of {candidate.task_id} was not published")
    failpoints.hit("publish.done")


def written(quarantine: Path) -> list[str]:
    """The ids of the loose objects in a quarantine."""
    found = (path.parent.name + path.name for path in quarantine.glob("[0-9a-f][0-9a-f]/[0-9a-f]*"))
    return sorted(found)


def discard(candidate: Candidate) -> None:
    """Forget what was not published, and give back what the quarantine held."""
    if candidate.repository.quarantine:
        candidate.repository.close()
        remove(candidate.repository, candidate.quarantine)


def remove(repository: Repository, quarantine: Path) -> None:
    """Remove a quarantine; Git may do with the pack that came out of it what it likes again."""
    for keep in quarantine.glob(f"{PACKED}/*.keep"):
        files.remove(repository.git_dir / "objects" / "pack" / keep.name)
    shutil.rmtree(quarantine, ignore_errors=True)
