"""Whether a landing may touch the user's checkout now, and if not, why, in words for a person."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from aifactory import index, swap, worktree
from aifactory.conversion import Conversion, Converted
from aifactory.git import Entry, Repository
from aifactory.index import Listing
from aifactory.intent import Move, Worktree
from aifactory.layout import Layout
from aifactory.quarantine import FILES, Changed

NOTHING = Converted({}, {})


@dataclass(frozen=True)
class Waiting:
    """The landing has to wait for a person: why, and which paths stand in the way."""

    reason: str
    paths: tuple[str, ...] = ()


def place(repository: Repository, layout: Layout, target: str) -> Worktree | Waiting | None:
    """The checkout that has to follow the target; None when it is checked out nowhere."""
    if reason := worktree.rebasing(repository, target):
        return Waiting(reason)
    found = worktree.with_target(repository, target)
    if len(found) > 1:
        where = " and ".join(str(one.root) for one in found)
        return Waiting(f"{_short(target)} is checked out twice: {where}")
    if not found:
        return None
    if reason := worktree.busy(found[0]):
        return Waiting(reason)
    if found[0].root.stat().st_dev != layout.git_dir.stat().st_dev:
        # Files are exchanged by renames, from a stage beside the journal.
        return Waiting(f"{found[0].root} is on another file system than {layout.git_dir}")
    return found[0]


def _short(target: str) -> str:
    return target.removeprefix("refs/heads/")


def examine(conversion: Conversion, changed: Changed) -> tuple[Move, ...] | Waiting:
    """The moves that the checkout needs, when every path is as the commit below left it."""
    repository, root = conversion.repository, conversion.place.root
    listed = index.listing(repository, conversion.place)
    bytes_of = Bytes.of(conversion, changed, listed)
    problems: dict[str, str] = {}
    moves = []
    for path, (old, new) in changed.items():
        now = swap.found(root / path, repository.object_format)
        had, gets = bytes_of.had(path, old, now), bytes_of.gets(path, new)
        problem = (
            _kind_problem(path, old, new)
            or _index_problem(listed, path, old, changed)
            or _parent_problem(root, listed, path, changed)
            or bytes_of.problem(path)
            or _file_problem(root, path, old, had, now, changed, modes=conversion.settings.modes)
        )
        if problem:
            problems[path] = problem
        moves.append(Move(path, old, new, had, gets))
    if problems:
        return Waiting(_sentence(list(problems.values())), tuple(problems))
    return tuple(moves)


@dataclass(frozen=True)
class Bytes:
    """What lies in the checkout for an entry, where Git converts on the way."""

    conversion: Conversion
    before: Converted
    after: Converted

    @classmethod
    def of(cls, conversion: Conversion, changed: Changed, listed: Listing) -> Bytes:
        if not conversion.possible(changed, listed):
            return cls(conversion, NOTHING, NOTHING)
        old = {path: entry for path, (entry, _) in changed.items() if entry}
        new = {path: entry for path, (_, entry) in changed.items() if entry}
        return cls(conversion, conversion.before(old), conversion.after(new))

    def problem(self, path: str) -> str:
        driver = self.before.filtered.get(path) or self.after.filtered.get(path)
        return f"{path} needs the filter `{driver}`, and no filter is run" if driver else ""

    def had(self, path: str, old: Entry | None, now: Entry | None) -> Entry | None:
        """What should lie there; what does, when Git itself takes it for the same."""
        expected = self._entry(self.before, path, old)
        if old is None or now is None or path not in self.before.contents or now == expected:
            return expected
        same = now.mode == old.mode and self.conversion.unmodified(path)
        return now if same else expected

    def gets(self, path: str, new: Entry | None) -> Entry | None:
        return self._entry(self.after, path, new)

    def _entry(self, side: Converted, path: str, entry: Entry | None) -> Entry | None:
        if entry is None or path not in side.contents:
            return entry
        object_format = self.conversion.repository.object_format
        return Entry(entry.mode, swap.blob_id(side.contents[path], object_format))


def _sentence(problems: list[str]) -> str:
    more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
    return ", ".join(problems[:3]) + more


def _kind_problem(path: str, old: Entry | None, new: Entry | None) -> str:
    odd = any(entry and entry.mode not in FILES for entry in (old, new))
    return f"{path} is a link or a submodule, and only files are landed" if odd else ""


def _index_problem(listed: Listing, path: str, old: Entry | None, changed: Changed) -> str:
    staged = listed.find(path)
    if left := [name for name in listed.below(path) if name not in changed]:
        return f"{path} is a directory that holds {left[0]}"
    if staged is None:
        return f"{path} is removed from the index" if old else ""
    if staged.stage:
        return f"{path} is in conflict"
    if staged.tag != index.PLAIN:
        return f"{path} is hidden from Git (skip-worktree or assume-unchanged)"
    if staged.entry != old:
        return f"{path} has staged changes"
    return ""


def _parent_problem(root: Path, listed: Listing, path: str, changed: Changed) -> str:
    for name in swap.parents(path):
        goes = changed.get(name, (None, None))[0] is not None
        if listed.find(name) and not goes:
            return f"{name} is staged as a file"
        folder = root / name
        if folder.is_symlink():
            return f"{name} is a symbolic link"
        if folder.exists() and not folder.is_dir() and not goes:
            return f"{name} is a file"
    return ""


def _file_problem(
    root: Path,
    path: str,
    old: Entry | None,
    had: Entry | None,
    now: Entry | None,
    changed: Changed,
    *,
    modes: bool,
) -> str:
    if old is None:
        return _new_file_problem(root, path, now, changed)
    if now is None:
        return f"{path} is deleted but not committed"
    if not swap.alike(now, had, modes=modes):
        return f"{path} has uncommitted changes"
    return ""


def _new_file_problem(root: Path, path: str, now: Entry | None, changed: Changed) -> str:
    if now is not None:
        return f"{path} is untracked and would be overwritten"
    if not (root / path).is_dir():
        return ""
    left = [name for name in _files_below(root, path) if name not in changed]
    if left or not any(name.startswith(f"{path}/") for name in changed):
        return f"{path} is a directory" + (f" that holds {left[0]}" if left else "")
    return ""


def _files_below(root: Path, path: str) -> list[str]:
    """Every file below a directory, and every directory that holds nothing."""
    found = []
    for folder, folders, names in os.walk(root / path):
        inside = Path(folder).relative_to(root).as_posix()
        found += [f"{inside}/{name}" for name in names]
        if not folders and not names:
            found.append(inside)
    return found


def missing_folders(root: Path, moves: tuple[Move, ...]) -> tuple[str, ...]:
    """The directories that have to be made for the new files."""
    wanted = {name for move in moves if move.gets for name in swap.parents(move.path)}
    return tuple(sorted(name for name in wanted if not (root / name).is_dir()))
