"""What a command says of its failure: the tests it names, the modules it misses."""

from __future__ import annotations

import re

from aifactory.model import CommandRecord, sha256

_LISTED = (
    r"(?:FAILED|ERROR) (?!\()([^\s:]+(?:::[^\s\[]+(?:\[.*?\])?)?)(?: - .*)?",  # pytest
    r"(?:FAIL|ERROR): (\S+ \([\w.]+\))",  # unittest
    r"--- FAIL: (\S+).*",  # go
    r"test (\S+) \.\.\. FAILED",  # cargo
    r"not ok \d+ - (.+?)",  # TAP, and Node's own runner
    r"● (.+? \u203a .+?)",  # jest
)
_NAMED = re.compile(rf"^\s*(?:{'|'.join(_LISTED)})\s*$", re.MULTILINE)
_MODULE = re.compile(r"No module named '?([A-Za-z_][\w.]*)")
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{7,64}\b|\d+(?:[.:]\d+)*")


def failed_tests(record: CommandRecord) -> frozenset[str]:
    """The tests that a runner lists as failed, by its own names; empty where it lists none."""
    found = _NAMED.finditer(record.output)
    return frozenset(next(filter(None, match.groups())) for match in found)


def missing_modules(record: CommandRecord) -> frozenset[str]:
    """The modules that Python did not find, by their first names."""
    return frozenset(name.partition(".")[0] for name in _MODULE.findall(record.output))


def signature(record: CommandRecord) -> str:
    """A digest of how a command failed, equal for two failures that differ only in numbers.

    Where a test runner lists what failed, that list is the failure.
    """
    text = _NUMBERS.sub("0", record.output)
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    lines = sorted(failed_tests(record)) or lines
    how = f"{record.exit_code} {record.signal} {record.timed_out}"
    return sha256("\n".join([how, *lines]).encode(errors="replace"))
