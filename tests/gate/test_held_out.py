"""Checks that no agent sees: they judge, and nothing of them is told but a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aifactory import gate
from aifactory.errors import GateBroken
from aifactory.git import Repository
from aifactory.layout import Layout
from tests.conftest import Checkout
from tests.gate.conftest import MakeRoom

SECRET = "assert calc.add(20, 22) == 42"
CHECKS = {
    "held-out.toml": '[[check]]\nname = "sums"\ncommands = ["python hidden/sums.py"]\n',
    "hidden/sums.py": f"import sys; sys.path.insert(0, '.')\nimport calc\n{SECRET}\n",
}
TRUE = {"calc.py": "def add(a, b):\n    return a + b\n"}
HARD_CODED = {"calc.py": "def add(a, b):\n    return {(2, 2): 4, (0, 0): 0}[a, b]\n"}
STUB = {"calc.py": "def add(a, b):\n    return 4\n"}
SEEN = "python -c 'import calc; assert calc.add(2, 2) == 4'"


@pytest.fixture
def place(scratch: Path) -> str:
    Checkout(scratch / "checks").write(CHECKS)
    return str(scratch / "checks")


@pytest.mark.parametrize("wrong", [HARD_CODED, STUB], ids=["hard-coded", "stub"])
def test_answers_made_for_the_tests_that_can_be_seen(
    make_quick_room: MakeRoom, place: str, wrong: dict[str, str]
) -> None:
    found = gate.run(make_quick_room(wrong, SEEN, held_out=place))
    assert found.message == "held-out checks: held-out check sums failed"
    assert gate.run(make_quick_room(TRUE, SEEN, held_out=place)).ok


def test_nothing_of_them_is_told(
    make_quick_room: MakeRoom, place: str, repository: Repository
) -> None:
    told: list[str] = []
    room = make_quick_room(STUB, SEEN, held_out=place, on_start=told.append)
    found = gate.run(room)
    everything = [verdict.model_dump() for verdict in found.verdicts]
    everything += [record.model_dump() for record in found.commands]
    for secret in ("hidden", "20, 22", "AssertionError", place):
        assert secret not in json.dumps(everything)
        assert secret not in " ".join(told) + found.evidence() + found.message
    kept = Layout(repository.root, repository.git_dir).held_out / "t1.txt"
    assert SECRET in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_they_leave_nothing_behind(
    make_quick_room: MakeRoom, place: str, repository: Repository
) -> None:
    room = make_quick_room(TRUE, SEEN, held_out=place)
    assert gate.run(room).ok
    assert not (room.workspace.path / "hidden").exists()
    blob = repository.id_of("blob", CHECKS["hidden/sums.py"].encode())
    assert repository.object(blob) is None
    assert list(Layout(repository.root, repository.git_dir).quarantine.iterdir()) == []


def test_a_change_cannot_stand_in_their_place(make_quick_room: MakeRoom, place: str) -> None:
    fake = {**STUB, "hidden/sums.py": "print('fine')\n", "held-out.toml": "check = []\n"}
    assert not gate.run(make_quick_room(fake, SEEN, held_out=place)).ok


def test_they_may_stand_on_a_ref(make_quick_room: MakeRoom, repository: Repository) -> None:
    checkout = Checkout(repository.root)
    checkout.git("checkout", "--quiet", "--orphan", "elsewhere")
    checkout.commit(CHECKS)
    checkout.git("update-ref", "refs/held-out", "HEAD")
    checkout.git("checkout", "--quiet", "main")
    room = make_quick_room(STUB, SEEN, held_out="refs/held-out")
    assert gate.run(room).message == "held-out checks: held-out check sums failed"


def test_in_the_cage_too(make_caged_room: MakeRoom, place: str) -> None:
    assert gate.run(make_caged_room(TRUE, SEEN, held_out=place)).ok
    peeking = {"calc.py": f"import os\nassert not os.path.exists({place!r})\n{TRUE['calc.py']}"}
    found = gate.run(make_caged_room(peeking, SEEN, held_out=place))
    assert found.ok, found.evidence()


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("/nowhere/at/all", "there is no directory"),
        ("refs/nothing", "there is no refs/nothing"),
        ("inside", "is inside the repository"),
        ("/usr/share", "can be seen in the sandbox"),
        ("../empty", "has no held-out.toml"),
        ("../bad", "cannot be read: TOMLDecodeError"),
        ("../odd", "cannot be read: ValidationError"),
    ],
)
def test_a_place_that_holds_none_is_the_owners_to_mend(
    make_quick_room: MakeRoom, repository: Repository, where: str, why: str
) -> None:
    for name, text in {"empty": None, "bad": "[[check", "odd": "[[check]]\nname = 1\n"}.items():
        folder = repository.root.parent / name
        folder.mkdir()
        if text:
            (folder / "held-out.toml").write_text(text)
    with pytest.raises(GateBroken, match=why):
        gate.run(make_quick_room(TRUE, SEEN, held_out=where))
