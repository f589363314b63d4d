"""Keeps secrets out of whatever is sent, shown or stored, and out of the programs we start.

A secret is the value of a variable that is secret by its name, or what has a well-known shape.
Values go everywhere; shapes only where people look, since a shape may be an example in a test that
an agent has to see.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

MASK = "[redacted secret]"
SHORTEST = 8  # shorter values would mask ordinary words
NAMES = re.compile(
    r"(?:^|_|API|PG)(?<!PUBLIC_)(?<!PROJECT_)"
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)S?(?:_\d+)?$",
    re.IGNORECASE,
)
KEYS = re.compile(
    r"(?<![A-Za-z0-9])sk-(?=[\w-]*\d)[\w-]{16,}"  # OpenAI, Anthropic and those who copy them
    r"|(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}"
    r"|AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|AIza[\w-]{35}|xox[abeoprs]-[\w-]{10,}"
    r"|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{40,})"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+"  # JSON Web Token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
SHAPES = re.compile(
    KEYS.pattern + r"|(?<=[Bb]earer )[\w.~+/-]{16,}=*"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",  # user:password in an address
    re.DOTALL,
)


def secrets_of(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The secret values of an environment (default: ours), longest first."""
    return _secrets_of(frozenset((os.environ if environ is None else environ).items()))


@lru_cache(maxsize=8)
def _secrets_of(variables: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    named = {value for name, value in variables if _is_secret(name, value)}
    shaped = {found[0] for _, value in variables for found in SHAPES.finditer(value)}
    long = (value for value in named | shaped if len(value) >= SHORTEST)
    return tuple(sorted(long, key=lambda value: (-len(value), value)))


def public(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a program of ours may have: none that is secret by name or shape."""
    return {
        name: value
        for name, value in environ.items()
        if not NAMES.search(name) and not SHAPES.search(value)
    }


def redacted(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The text without secrets: values of the environment, and well-known shapes of keys."""
    return SHAPES.sub(MASK, masked(text, environ))


def masked(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The text without the secret values of the environment."""
    for value in secrets_of(environ):
        text = text.replace(value, MASK)
    return text


def masked_bytes(data: bytes, environ: Mapping[str, str] | None = None) -> bytes:
    """The same for a file, also where a value stands as a string of JSON."""
    for value in secrets_of(environ):
        for form in _forms(value):
            data = data.replace(form, MASK.encode())
    return data


def redacted_data(value: Any, environ: Mapping[str, str] | None = None) -> Any:
    """`redacted` for every string within plain JSON data."""
    return _each(value, lambda text: redacted(text, environ))


def masked_data(value: Any, environ: Mapping[str, str] | None = None) -> Any:
    """`masked` for every string within plain JSON data."""
    return _each(value, lambda text: masked(text, environ)) if secrets_of(environ) else value


def _is_secret(name: str, value: str) -> bool:
    return NAMES.search(name) is not None and not _is_place(value)


def _is_place(value: str) -> bool:
    """Whether the value only says where a secret is kept."""
    with contextlib.suppress(OSError, ValueError):
        return value.startswith("/") and Path(value).is_file()
    return False


@lru_cache(maxsize=64)
def _forms(value: str) -> tuple[bytes, ...]:
    texts = [value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]]
    forms = {text.encode(errors="surrogateescape") for text in texts}
    return tuple(sorted(forms, key=len, reverse=True))  # the plain one may be within another


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_each(name, change): _each(inner, change) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_each(inner, change) for inner in value]
    return value
