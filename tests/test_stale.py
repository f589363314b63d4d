"""The base of a proposal moves before it lands: merged where that is clean, else proposed again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aifactory.model import State
from tests.conftest import Checkout
from tests.house import House, drop, opened

BASE = "".join(f"value_{at} = {at}\n" for at in range(30))


def edit(old: str, new: str) -> str:
    return f"app.py\n```\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n```\n"


def proposed_before(house: House, checkout: Checkout, commit: str) -> None:
    """A verified proposal for `t1`, and a commit of a person's that it knows nothing of."""
    house.take_in()
    assert house.attempt("t1") is State.READY
    checkout.write({"app.py": BASE.replace(commit, f"{commit} + 1")})
    checkout.git("commit", "--quiet", "-am", "by a person")


def begun(checkout: Checkout) -> None:
    checkout.write({"app.py": BASE})
    checkout.git("add", "app.py")
    checkout.git("commit", "--quiet", "-m", "base")
    drop(checkout, "t1", files=["app.py"])


def test_a_change_elsewhere_in_the_file_is_merged_and_gated_again(checkout: Checkout) -> None:
    begun(checkout)
    answers = [edit("value_3 = 3", "value_3 = 33")]
    with opened(checkout, answers, gate__commands=["check"]) as house:
        proposed_before(house, checkout, "value_20 = 20")
        assert house.land("t1") is State.DONE
        assert (len(house.model.requests), len(house.sandbox.ran)) == (1, 2)
    merged = BASE.replace("value_3 = 3\n", "value_3 = 33\n").replace("= 20", "= 20 + 1")
    assert checkout.git("show", "HEAD:app.py") == merged.strip()


def test_a_change_of_the_same_line_is_proposed_again_from_what_is_there(
    checkout: Checkout,
) -> None:
    begun(checkout)
    answers = [edit("value_3 = 3", "value_3 = 33"), edit("value_3 = 3 + 1", "value_3 = 34")]
    with opened(checkout, answers) as house:
        proposed_before(house, checkout, "value_3 = 3")
        assert house.land("t1") is State.QUEUED
        record = house.factory.queue.record("t1")
        assert record and record.charged == 0
        assert house.attempt("t1") is State.READY
        assert "value_3 = 3 + 1" in house.prompt(1)
        assert house.land("t1") is State.DONE
    assert checkout.git("show", "HEAD:app.py") == BASE.replace("= 3\n", "= 34\n").strip()


def moved(
    checkout: Checkout, answers: list[str], by_a_person: Callable[[], object], *files: str
) -> House:
    """A proposal for `t1` that is verified, and landed after a commit of a person's."""
    begun(checkout)
    drop(checkout, "t1", files=["app.py", "new/*", *files])
    with opened(checkout, answers) as house:
        house.take_in()
        assert house.attempt("t1") is State.READY
        by_a_person()
        checkout.git("add", "--all", "--", ":!tasks", ":!shared")
        checkout.git("commit", "--quiet", "-m", "by a person")
        house.land("t1")
        return house


def test_a_mode_that_a_person_set_stays(checkout: Checkout) -> None:
    def person() -> None:
        (checkout.root / "app.py").chmod(0o755)

    house = moved(checkout, [edit("value_3 = 3", "value_3 = 33")], person)
    assert len(house.model.requests) == 1
    assert checkout.git("ls-tree", "HEAD", "app.py").startswith("100755")
    assert "value_3 = 33" in checkout.git("show", "HEAD:app.py").splitlines()


def test_a_mode_is_a_change_that_merges(checkout: Checkout) -> None:
    def person() -> None:
        checkout.write({"app.py": BASE.replace("= 20", "= 20 + 1")})

    mode = "diff --git a/app.py b/app.py\nold mode 100644\nnew mode 100755\n"
    house = moved(checkout, [mode], person)
    assert len(house.model.requests) == 1
    assert checkout.git("ls-tree", "HEAD", "app.py").startswith("100755")
    assert "value_20 = 20 + 1" in checkout.git("show", "HEAD:app.py")


@pytest.mark.parametrize("kind", ["a link", "a link above", "a folder", "a file above"])
def test_what_a_person_put_where_a_new_file_was_to_be_stays(checkout: Checkout, kind: str) -> None:
    def person() -> None:
        if kind == "a link":
            (checkout.root / "new").mkdir()
            (checkout.root / "new" / "n.txt").symlink_to("../app.py")
        elif kind == "a link above":
            (checkout.root / "new").symlink_to("elsewhere")
        elif kind == "a folder":
            checkout.write({"new/n.txt/inner.txt": "by a person\n"})
        else:
            checkout.write({"new": "by a person\n"})

    house = moved(checkout, ["```text:new/n.txt\nmine\n```\n"], person)
    assert house.state("t1") is State.QUEUED
    record = house.factory.queue.record("t1")
    assert record and record.charged == 0
    assert "proposal.stale" in house.names("t1")
    assert checkout.git("status", "--porcelain", "--", "new") == ""
