"""The only caller of Git, hardened and durable.

Nothing of the user's or the repository's configuration that could run a program is in force, and
every object and ref that Git writes is synced (`core.fsync=all`; Git never syncs a directory, so
the callers here do: study, durability, section 1.1).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from aifactory import files
from aifactory.errors import DiskFull, GitFailed, NotARepository
from aifactory.objects import Entry as Entry
from aifactory.objects import Identity as Identity
from aifactory.objects import format_commit as format_commit
from aifactory.objects import format_tree as format_tree
from aifactory.objects import parse_tree as parse_tree
from aifactory.redaction import public

HARDENED = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.fsync": "all",
    "core.untrackedCache": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
    "submodule.recurse": "false",
    "diff.external": "",
    "advice.detachedHead": "false",
    "init.defaultBranch": "main",
}
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "SSH_AUTH_SOCK", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Repository:
    """A repository: `root` is the user's checkout, `git_dir` the common Git directory."""

    root: Path
    git_dir: Path
    object_format: str = "sha1"
    quarantine: Path | None = None
    _batch: _Batch = field(default_factory=lambda: _Batch(), repr=False, compare=False)

    @property
    def null(self) -> str:
        """The id that stands for "absent" in ref updates."""
        return "0" * (40 if self.object_format == "sha1" else 64)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        env |= {
            "GIT_DIR": str(self.git_dir),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "LC_ALL": "C.UTF-8",
        }
        settings = {**HARDENED, "safe.directory": str(self.root)}
        env["GIT_CONFIG_COUNT"] = str(len(settings))
        for number, (key, value) in enumerate(settings.items()):
            env[f"GIT_CONFIG_KEY_{number}"] = key
            env[f"GIT_CONFIG_VALUE_{number}"] = value
        if self.quarantine:
            env["GIT_OBJECT_DIRECTORY"] = str(self.quarantine)
            objects = str(self.git_dir / "objects").replace("\\", "\\\\").replace('"', '\\"')
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = f'"{objects}"'  # a colon would split it
        return env | dict(more or {})

    def run(
        self,
        *arguments: str,
        input: bytes = b"",
        env: Mapping[str, str] | None = None,
        ok: Sequence[int] = (0,),
    ) -> bytes:
        """Run one Git command and give its output; GitFailed when its exit code is not in `ok`."""
        done = subprocess.run(
            ["git", *arguments],
            input=input,
            capture_output=True,
            env=self.environment(env),
            cwd=self.root,
            check=False,
        )
        if done.returncode not in ok:
            said = done.stderr.decode(errors="replace").strip()
            if "No space left on device" in said:
                raise DiskFull(f"no space left for git {arguments[0]}: {said}")
            raise GitFailed(f"git {' '.join(arguments[:3])} ended with {done.returncode}: {said}")
        return done.stdout

    # reading

    def resolve(self, revision: str) -> str | None:
        """The object id that a revision names, or None."""
        out = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", revision, ok=(0, 1))
        return out.decode().strip() or None

    def refs(self, prefix: str) -> dict[str, str]:
        """Every ref below `prefix` with the id it holds."""
        out = self.run("for-each-ref", "--format=%(refname) %(objectname)", prefix)
        lines = (line.partition(" ") for line in out.decode().splitlines())
        return {ref: oid for ref, _, oid in lines}

    def is_ancestor(self, commit: str, tip: str) -> bool:
        """Whether a commit is in the history of another; both have to exist."""
        arguments = ["git", "merge-base", "--is-ancestor", commit, tip]
        done = subprocess.run(
            arguments, capture_output=True, env=self.environment(), cwd=self.root, check=False
        )
        if done.returncode not in (0, 1):
            raise GitFailed(f"git merge-base: {done.stderr.decode(errors='replace').strip()}")
        return done.returncode == 0

    def user_settings(self, pattern: str) -> dict[str, str]:
        """The settings whose lower-case names match, as the user's own Git sees them.

        Reading settings runs nothing; they are the user's, so the hardened environment is not used.
        """
        query = ["git", "-C", str(self.root), "config", "-z", "--get-regexp", pattern]
        done = subprocess.run(query, capture_output=True, env=users_environment(), check=False)
        if done.returncode not in (0, 1):
            raise GitFailed(f"git config: {done.stderr.decode(errors='replace').strip()}")
        records = done.stdout.decode(errors="surrogateescape").split("\0")[:-1]
        return {name: value for name, _, value in (one.partition("\n") for one in records)}

    def target(self) -> str:
        """The ref that is checked out at `root`, also when it has no commit yet.

        A linked worktree has its own HEAD, which only Git run from inside it reads.
        """
        query = ["git", "-C", str(self.root), "symbolic-ref", "--quiet", "HEAD"]
        done = subprocess.run(query, capture_output=True, env=users_environment(), check=False)
        if not (out := done.stdout.decode(errors="surrogateescape").strip()):
            raise GitFailed(
                "HEAD is detached: there is no branch to land on",
                next_step="check out a branch, or set [land] branch in aifactory.toml",
            )
        return out

    def object(self, name: str) -> tuple[str, bytes] | None:
        """Type and bytes of an object by id or `<rev>:<path>`; None when there is none."""
        return self._batch.read(self, name)

    def id_of(self, kind: str, data: bytes) -> str:
        """The id that an object has."""
        return hashlib.new(self.object_format, f"{kind} {len(data)}\0".encode() + data).hexdigest()

    def blob(self, name: str) -> bytes | None:
        found = self.object(name)
        return found[1] if found and found[0] == "blob" else None

    def blobs(self, oids: Sequence[str]) -> Iterator[bytes]:
        """The bytes of many objects that exist, in order, by one command."""
        out = self.run("cat-file", "--batch", input="".join(f"{oid}\n" for oid in oids).encode())
        at = 0
        for oid in oids:
            head = out[at : out.index(b"\n", at)]
            if not head.startswith(oid.encode()) or head.endswith(b" missing"):
                raise GitFailed(f"there is no object {oid}")
            start = at + len(head) + 1
            at = start + int(head.rpartition(b" ")[2]) + 1
            yield out[start : at - 1]

    def entries(self, treeish: str) -> dict[str, Entry]:
        """The direct entries of a tree, by name; empty for the empty string."""
        if not treeish:
            return {}
        kind, data = self.object(treeish) or ("", b"")
        if kind == "commit":
            return self.entries(data[5 : 5 + len(self.null)].decode())
        if kind != "tree":
            raise GitFailed(f"there is no tree {treeish}")
        return parse_tree(data, len(self.null) // 2)

    def tree(self, treeish: str) -> dict[str, Entry]:
        """Every path of a tree, at any depth; empty for the empty string."""
        if not treeish:
            return {}
        found: dict[str, Entry] = {}
        for record in self.run("ls-tree", "-r", "-z", "--full-tree", treeish).split(b"\0")[:-1]:
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
            # An empty file of this name is what an unclean power-off leaves; Git never repairs it.
            if not (path.exists() and path.stat().st_size):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._write_loose(path, zlib.compress(raw, 1))
                folders.add(path.parent)
        if not self.quarantine:
            for folder in folders:
                files.sync_dir(folder)
            if folders:
                files.sync_dir(root)
        return oids

    def _write_loose(self, path: Path, data: bytes) -> None:
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

    def move_ref(
        self, ref: str, old: str, new: str, reason: str, env: Mapping[str, str] | None = None
    ) -> None:
        """Move one ref from `old` (`""`: absent) to `new`, with a reflog entry, lastingly.

        GitFailed when it does not hold `old` or another command has it locked.
        """
        arguments = ("update-ref", "--no-deref", "-m", reason, ref, new, old or self.null)
        self.run(*arguments, env=env)

    def sync_ref(self, ref: str) -> None:
        """Make a moved ref last: Git syncs the file, never the directories that name it."""
        files.sync_names((self.git_dir / ref).parent, self.git_dir)

    def update_refs(self, updates: Mapping[str, tuple[str, str]]) -> None:
        """Move refs from `(old, new)`, all of them or GitFailed; the null id stands for absent.

        Git moves several refs one after the other, so a crash may leave some moved
        (study, durability, section 0.4): put one ref in a call where that matters.
        """
        text = "".join(
            f"update {ref}\0{new}\0{old}\0" if new != self.null else f"delete {ref}\0{old}\0"
            for ref, (old, new) in updates.items()
        )
        self.run("update-ref", "--no-deref", "-z", "--stdin", input=text.encode())
        for ref in updates:
            folder = (self.git_dir / ref).parent
            if folder.is_dir():
                files.sync_dir(folder)

    def close(self) -> None:
        self._batch.close()


class _Batch:
    """One long-lived `git cat-file --batch`, shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, repository: Repository, name: str) -> tuple[str, bytes] | None:
        if "\n" in name:
            return None
        with self._lock:
            pipe_in, pipe_out = self._pipes(repository)
            try:
                pipe_in.write(name.encode(errors="surrogateescape") + b"\n")
                pipe_in.flush()
            except BrokenPipeError as error:
                with contextlib.suppress(BrokenPipeError):
                    pipe_in.close()
                self._stop()
                raise GitFailed("git cat-file was killed") from error
            head = pipe_out.readline().rstrip(b"\n")
            if head.endswith((b" missing", b" ambiguous")):
                return None
            parts = head.rsplit(b" ", 2)
            if len(parts) != 3 or not parts[2].isdigit():
                self._stop()
                raise GitFailed(f"git cat-file answered {head.decode(errors='replace')!r}")
            data = pipe_out.read(int(parts[2]))
            pipe_out.read(1)
            return parts[1].decode(), data

    def _pipes(self, repository: Repository) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._process = subprocess.Popen(
                ["git", "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=repository.environment(),
                cwd=repository.root,
                start_new_session=True,
            )
        assert self._process.stdin and self._process.stdout
        return self._process.stdin, self._process.stdout

    def _stop(self) -> None:
        if self._process is not None:
            assert self._process.stdin and self._process.stdout
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        with self._lock:
            self._stop()


def _present(entry: Entry) -> Entry | None:
    return entry if int(entry.mode, 8) else None


def users_environment() -> dict[str, str]:
    """The environment without secrets and without what points Git at some other repository."""
    kept = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
    return {
        name: value
        for name, value in public(os.environ).items()
        if not name.startswith("GIT_") or name in kept
    }


def discover(start: Path) -> Repository:
    """The repository that contains `start`, as the user's own Git sees it."""
    query = ["git", "-C", str(start), "rev-parse", "--path-format=absolute", "--show-toplevel"]
    query += ["--git-common-dir", "--show-object-format"]
    env = users_environment() | {"LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(query, capture_output=True, env=env, check=False)
    except FileNotFoundError as error:
        raise GitFailed("there is no `git` on the PATH", next_step="install git") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        next_step = ""
        if found := re.search("dubious ownership in repository at '(.*)'", said):
            next_step = f"if you trust it: git config --global --add safe.directory {found[1]}"
        raise NotARepository(f"{start}: {said.splitlines()[0]}", next_step=next_step)
    root, git_dir, object_format = done.stdout.decode(errors="surrogateescape").splitlines()
    return Repository(Path(root), Path(git_dir), object_format)


def identity(repository: Repository, home: Path) -> Identity | None:
    """Who the user is, as their Git configuration and the repository's say; None if they do not."""
    from git.config import GitConfigParser

    own = (home / ".config" / "git" / "config", home / ".gitconfig")
    with GitConfigParser([*own, repository.git_dir / "config"], read_only=True) as settings:
        name, email = (str(settings.get_value("user", key, "")) for key in ("name", "email"))
    return Identity(name, email) if name and email else None
