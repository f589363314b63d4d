"""The base of a proposal moves before it lands: merged where that is clean, else proposed again."""

from __future__ import annotations

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
