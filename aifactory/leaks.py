"""Secrets that a change would write into the repository, and files that are secret as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from aifactory.model import Change
from aifactory.paths import match
from aifactory.redaction import KEYS, MASK, secrets_of

SECRET_FILES = (
    *("**/.env", "**/.env.*", "**/*.pem", "**/*.key", "**/*.p12", "**/*.pfx", "**/*.jks"),
    *("**/id_rsa", "**/id_dsa", "**/id_ecdsa", "**/id_ed25519", "**/.netrc", "**/.pgpass"),
    *("**/.npmrc", "**/.pypirc", "**/.aws/credentials", "**/.git-credentials", "**/.htpasswd"),
    *("**/credentials.json", "**/service-account*.json", "**/*.kdbx", "**/*.keystore"),
)
EXAMPLES = ("**/*.example", "**/*.sample", "**/*.template", "**/*.dist")


def is_secret_file(path: str) -> bool:
    """Whether a file holds secrets by its name, so that no model is shown it."""
    folded = path.casefold()
    return bool(match(SECRET_FILES, folded)) and not match(EXAMPLES, folded)


def leaks(
    changes: Sequence[Change],
    before: Callable[[str], bytes | None],
    environ: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, int]]:
    """File and line of every secret that a change adds; one that stood there before is none.

    `before` reads a path of the base. What was masked on its way from the model counts too: a
    secret belongs there, and the mask does not.
    """
    values = (*secrets_of(environ), MASK)
    pattern = re.compile("|".join([KEYS.pattern, *map(re.escape, values)]), re.DOTALL)
    known = {found for change in changes for found, _ in _found(pattern, before(change.path))}
    for change in changes:
        for secret, line in _found(pattern, change.content):
            if secret not in known:
                yield change.path, line


def _found(pattern: re.Pattern[str], content: bytes | None) -> Iterator[tuple[str, int]]:
    """The secrets of a file with the numbers of their lines, from 1."""
    text = (content or b"").decode(errors="replace")
    for found in pattern.finditer(text):
        yield found[0], text.count("\n", 0, found.start()) + 1
