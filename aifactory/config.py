"""Settings that know where they came from.

The first that has a value decides: flag, environment, aifactory.toml, the user's file, default.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from aifactory.errors import InvalidConfig, Problem
from aifactory.layers import settled, typed
from aifactory.schema import nearest, unknown
from aifactory.settings import Settings, keys

PREFIX = "AIFACTORY_"
DEFAULT = "default"
_SHORT = {"AIFACTORY_MODEL": "model.default", "AIFACTORY_API_BASE": "model.api_base"}
_NOT_SETTINGS = frozenset({"AIFACTORY_CACHE_DIR", "AIFACTORY_FAILPOINTS"})
_USERS_OWN = frozenset(  # not for a repository to say
    {"agents.programs", "agents.trusted", "forge.token_variable"}
)
_MOST_BYTES = 1 << 20


class Row(NamedTuple):
    """One line of `aifactory config show`."""

    key: str
    value: Any
    origin: str
    description: str


class Config(Settings):
    """Every setting; `warnings` names what was not understood but does no harm."""

    warnings: tuple[str, ...] = ()
    origins: dict[str, str] = Field(default_factory=dict)

    def origin(self, key: str) -> str:
        """Where the value of `key` came from: a flag, a variable, a file or `default`."""
        if key not in keys():
            raise InvalidConfig.of([unknown("the configuration", "", key, keys())])
        return self.origins.get(key, DEFAULT)

    def value(self, key: str) -> Any:
        """The value of `key`, such as `gate.timeout`."""
        self.origin(key)
        found: Any = self
        for name in key.split("."):
            found = getattr(found, name)
        return found

    def rows(self) -> list[Row]:
        """Every setting with its value, origin and meaning."""
        return [
            Row(key, self.value(key), self.origin(key), field.description or "")
            for key, field in keys().items()
        ]


def load(
    root: Path, *, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str]
) -> Config:
    """The settings for the repository at `root`. Raises InvalidConfig with every problem.

    `flags` maps keys to values; None is a flag that was not given.
    """
    path = root / "aifactory.toml"
    return parse(_bytes(path), path.name, flags=flags, environ=environ)


def parse(
    text: bytes,
    name: str = "aifactory.toml",
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """The settings where aifactory.toml is at hand as bytes, such as from a commit."""
    variables = environ or {}
    problems: list[Problem] = []
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in (
        *_user_layers(variables, problems),
        (name, _document(text, name, problems)),
        *_variable_layers(variables),
        *_flag_layers(flags or {}),
    ):
        for key, value in settled(layer, origin, problems).items():
            if origin == name and key in _USERS_OWN:
                problems.append(Problem(name, key, "the user's own file to say so", "this file"))
            merged[key], origins[key] = value, origin
    if problems:
        raise InvalidConfig.of(problems)
    return Config(**_tree(merged), origins=origins, warnings=tuple(_strangers(variables)))


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", "_").upper()


def _user_layers(environ: Mapping[str, str], problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    if home := environ.get("XDG_CONFIG_HOME") or environ.get("HOME"):
        folder = Path(home) if environ.get("XDG_CONFIG_HOME") else Path(home) / ".config"
        path = folder / "aifactory" / "config.toml"
        yield str(path), _document(_bytes(path), str(path), problems)


def _variable_layers(environ: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    names = {_variable(key): key for key in keys()} | _SHORT
    for name in sorted(names, key=lambda name: name in _SHORT):  # the short name is the one meant
        if text := environ.get(name):
            yield name, _tree({names[name]: typed(text, keys()[names[name]])})


def _flag_layers(flags: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in flags.items():
        if value is not None:
            field = keys().get(key)
            meant = typed(value, field) if isinstance(value, str) and field else value
            yield f"--{key.rpartition('.')[2].replace('_', '-')}", _tree({key: meant})


def _strangers(environ: Mapping[str, str]) -> Iterator[str]:
    known = {_variable(key) for key in keys()} | set(_SHORT) | _NOT_SETTINGS
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            guess = nearest(name, known)
            yield f"{name} is no setting" + (f" (did you mean {guess}?)" if guess else "")


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        got = error.strerror or str(error)
        raise InvalidConfig.of([Problem(str(path), "", "a file that can be read", got)]) from error


def _document(text: bytes, name: str, problems: list[Problem]) -> dict[str, Any]:
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        return tomllib.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 errors are ValueErrors
        problems.append(Problem(name, "", "valid TOML", str(error)))
        return {}


def _tree(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *tables, name = key.split(".")
        table = tree
        for part in tables:
            table = table.setdefault(part, {})
        table[name] = value
    return tree
