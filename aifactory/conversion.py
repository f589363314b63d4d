"""What Git does to bytes on the way from a blob to the user's checkout: line ends and the like.

The user's own settings and attributes decide and Git itself converts, but no filter driver is ever
run: a path that needs one has to wait for a person.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aifactory import files, index, swap
from aifactory.git import Entry, Repository
from aifactory.index import Listing
from aifactory.intent import Worktree

NAME = ".gitattributes"
_CONVERTING = ("text", "crlf", "eol", "ident", "working-tree-encoding")
_DECIDING = ("core.autocrlf", "core.eol", "core.attributesfile")
_ASKED = (
    r"^(core\.(filemode|autocrlf|eol|attributesfile)|filter\..*\.(clean|smudge|process|required))$"
)
_OFF = ("false", "no", "off", "0")
_NOTHING = ("unspecified", "unset")


@dataclass(frozen=True)
class Settings:
    """The user's settings that decide about bytes: `options` hands them to our own Git calls.

    `modes`: whether the executable bit means something; `always`: whether bytes may be converted
    without any attribute.
    """

    modes: bool
    always: bool
    attributes: Path
    options: tuple[str, ...]


def settings(repository: Repository) -> Settings:
    """Read the settings as the user's own Git would; nothing of them is run."""
    found = repository.user_settings(_ASKED)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    own = found.setdefault("core.attributesfile", str(home / "git" / "attributes"))
    given = [f"{key}={found[key]}" for key in _DECIDING if key in found]
    # Git looks into files that are as young as an index whenever it writes one: through filters.
    given += [f"{key}=" for key in found if key.startswith("filter.")]
    return Settings(
        modes=found.get("core.filemode", "true").lower() not in _OFF,
        always=found.get("core.autocrlf", "false").lower() not in _OFF,
        attributes=Path(own).expanduser(),
        options=tuple(part for setting in given for part in ("-c", setting)),
    )


@dataclass(frozen=True)
class Converted:
    """Paths whose bytes in the checkout are not those of the blob, and paths that need a filter."""

    contents: Mapping[str, bytes]
    filtered: Mapping[str, str]


@dataclass(frozen=True)
class Conversion:
    """Conversion in one checkout. `entries` are what is to be checked out, by path."""

    repository: Repository
    place: Worktree
    settings: Settings

    def possible(self, paths: Collection[str], listed: Listing) -> bool:
        """Whether an attribute or a setting can touch any of `paths`."""
        folders = {"", *(folder for path in paths for folder in swap.parents(path))}
        return (
            self.settings.always
            or self.settings.attributes.exists()
            or (self.repository.git_dir / "info" / "attributes").exists()
            or listed.has_name(NAME)
            or any(path.rpartition("/")[2] == NAME for path in paths)
            or any((self.place.root / folder / NAME).exists() for folder in folders)
        )

    def before(self, entries: Mapping[str, Entry]) -> Converted:
        """What the checkout holds for these entries, by the attributes that are in force."""
        with self._index(entries) as env:
            return self._converted(entries, env)

    def after(self, entries: Mapping[str, Entry]) -> Converted:
        """The same for entries that come: when attributes are among them, those of the index are
        in force and the files in the checkout are not looked at."""
        with self._index(entries) as env, tempfile.TemporaryDirectory() as empty:
            if any(path.rpartition("/")[2] == NAME for path in entries):
                env = {**env, "GIT_WORK_TREE": empty}
            return self._converted(entries, env)

    def _converted(self, entries: Mapping[str, Entry], env: Mapping[str, str]) -> Converted:
        attributes = self._attributes(entries, env)
        filtered = {
            path: found["filter"] for path, found in attributes.items() if "filter" in found
        }
        wanted = [
            path
            for path, found in attributes.items()
            if path not in filtered and (self.settings.always or found)
        ]
        return Converted(self._checked_out(wanted, env) if wanted else {}, filtered)

    @contextmanager
    def _index(self, entries: Mapping[str, Entry]) -> Iterator[dict[str, str]]:
        """An index of our own: the user's with these entries."""
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder) / "index"
            if self.place.index.exists():
                files.copy(self.place.index, copied)
            env = index.environment(self.place, copied)
            listed = index.lines(entries, self.repository.null)
            write = (*self.settings.options, "update-index", "-z", "--index-info")
            self.repository.run(*write, input=listed, env=env)
            yield env

    def _attributes(
        self, paths: Iterable[str], env: Mapping[str, str]
    ) -> dict[str, dict[str, str]]:
        """For every path the attributes that say something about its bytes."""
        asked = ("check-attr", "-z", "--stdin", *_CONVERTING, "filter")
        out = self.repository.run(*self.settings.options, *asked, input=named(paths), env=env)
        parts = out.decode(errors="surrogateescape").split("\0")
        found: dict[str, dict[str, str]] = {path: {} for path in paths}
        for path, name, value in zip(parts[0::3], parts[1::3], parts[2::3], strict=False):
            if value not in _NOTHING:
                found[path][name] = value
        return found

    def _checked_out(self, paths: list[str], env: Mapping[str, str]) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory() as folder:
            asked = ("checkout-index", "-z", "--stdin", f"--prefix={folder}/")
            self.repository.run(*self.settings.options, *asked, input=named(paths), env=env)
            return {path: (Path(folder) / path).read_bytes() for path in paths}

    def unmodified(self, path: str) -> bool:
        """Whether Git itself takes the file for that of the index, other line ends or not."""
        with self._index({}) as env:
            for asked in (("add", "--refresh"), ("diff-files", "--name-only")):
                out = self.repository.run(*self.settings.options, *asked, "--", path, env=env)
        return not out


def named(paths: Iterable[str]) -> bytes:
    return "".join(f"{path}\0" for path in paths).encode(errors="surrogateescape")
