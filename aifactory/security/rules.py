"""Rules of our own: what no linter of one language sees, and what an agent may be talked into."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from aifactory.paths import match
from aifactory.redaction import KEYS
from aifactory.security.findings import Finding, Severity

_LONGEST = 2_000_000  # bytes of a file that is looked at; a larger one is data
_CODE = ("**/*.py", "**/*.js", "**/*.mjs", "**/*.cjs", "**/*.ts", "**/*.tsx", "**/*.rb", "**/*.php")
_SCRIPTS = (
    *("**/*.sh", "**/*.bash", "**/Makefile", "**/*.mk", "**/Dockerfile*", "**/*.yml", "**/*.yaml"),
    *("**/package.json", "**/*.py", "**/justfile", "**/*.toml", "**/*.ps1"),
)


class Rule(NamedTuple):
    """A pattern within one line of the files that the globs mean."""

    name: str
    severity: Severity
    message: str
    pattern: re.Pattern[str]
    files: tuple[str, ...] = ("**",)


RULES = (
    Rule(
        "hidden-text",
        "high",
        "invisible characters that make code read otherwise than it runs (CVE-2021-42574)",
        re.compile("[\u202a-\u202e\u2066-\u2069]"),
    ),
    Rule("secret", "high", "this looks like a secret", KEYS),
    Rule(
        "piped-shell",
        "high",
        "what is downloaded is run unseen",
        re.compile(r"\b(?:curl|wget)\b[^|;&]*\|\s*(?:sudo\s+)?(?:ba|z|da|k)?sh\b"),
        _SCRIPTS,
    ),
    Rule(
        "hidden-code",
        "high",
        "code is run that was encoded to be hidden",
        re.compile(
            r"\b(?:exec|eval|Function)\s*\(.{0,80}?(?:b64decode|base64|fromhex|decompress|"
            r"marshal\.loads|atob|codecs\.decode)"
        ),
        _CODE,
    ),
    Rule(
        "start-hook",
        "high",
        "a .pth file that runs code at every start of Python",
        re.compile(r"^import[ \t]"),
        ("**/*.pth",),
    ),
    Rule(
        "install-hook",
        "medium",
        "a script that runs when the package is installed",
        re.compile(r'"(?:pre|post)?install"\s*:\s*"'),
        ("**/package.json",),
    ),
    Rule(
        "unverified-tls",
        "medium",
        "the other side's certificate is not looked at",
        re.compile(
            r"\bverify\s*=\s*False\b|NODE_TLS_REJECT_UNAUTHORIZED\W{1,4}0|_create_unverified_context"
            r"|rejectUnauthorized\s*:\s*false|\bcurl\b.*\s(?:-k|--insecure)\b|GIT_SSL_NO_VERIFY"
        ),
        (*_CODE, *_SCRIPTS),
    ),
    Rule(
        "foreign-code-in-ci",
        "medium",
        "runs with the repository's secrets for whoever opens a pull request",
        re.compile(r"^\s*-?\s*pull_request_target\b|\bpull_request_target\s*[:\]]"),
        (".github/workflows/**",),
    ),
    Rule(
        "open-to-all", "low", "everybody may write it", re.compile(r"\bchmod\s+(?:-R\s+)?0?777\b")
    ),
)


def by_rules(path: str, content: bytes) -> Iterator[Finding]:
    """What the rules find in one file; nothing in a binary one."""
    if b"\0" in content or len(content) > _LONGEST:
        return
    rules = [rule for rule in RULES if match(rule.files, path)]
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        for rule in rules:
            if rule.pattern.search(line):
                yield Finding(path, number, rule.name, rule.severity, rule.message, line.strip())
