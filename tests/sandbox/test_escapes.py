"""Every attempt is shown to succeed without the cage, and then to fail inside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from aifactory.sandbox.confined import BACKENDS, Confined
from tests.sandbox.lab import ATTEMPTS as FOLDER
from tests.sandbox.lab import PYTHON, ROOT, Lab, laboratory

import run  # isort: skip - `lab` put its folder on the path

NAMES = list(run.ATTEMPTS)
# What an ordinary user can plant, and so prove, is less.
ENOUGH = 120 if ROOT else 60


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with laboratory() as planted:
        yield planted


@pytest.fixture(scope="module")
def proven(lab: Lab) -> set[str]:
    """The attempts that succeed here without a cage."""
    found: set[str] = set()
    for as_root in (False, True) if ROOT else (False,):
        names = [n for n, a in run.ATTEMPTS.items() if (a.needs == "root") is as_root]
        got = lab.control(*names, as_root=as_root)
        found |= {name for name, evidence in got.items() if evidence}
    return found


@pytest.fixture(scope="module", params=BACKENDS, ids=lambda backend: backend.name)
def escaped(request: pytest.FixtureRequest, lab: Lab) -> dict[str, str]:
    """What each attempt got inside; all are made in one cage."""
    backend: Confined = request.param
    with open(lab.base / "daemon-file") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        facts = json.dumps(lab.facts)
        record = backend.run(lab.spec(PYTHON, str(FOLDER / "run.py"), facts))
    assert record.exit_code == 0, record.output
    return dict(json.loads(record.output.splitlines()[-1]))


def test_the_attempts_can_succeed(proven: set[str]) -> None:
    unproven = set(NAMES) - proven
    assert len(proven) >= ENOUGH, f"without a control: {sorted(unproven)}"


@pytest.mark.parametrize("name", NAMES)
def test_no_attempt_succeeds_inside(name: str, escaped: dict[str, str]) -> None:
    assert escaped[name] == ""
