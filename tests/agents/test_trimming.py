"""What is left out of a prompt that is too long, in which order, and that it is said."""

from __future__ import annotations

import json
from typing import Any

from aifactory.agents.base import Turn
from aifactory.agents.trimming import Material, Messages, fitting, tokens
from tests.conftest import Checkout
from tests.house import drop, opened, whole

HISTORY = tuple(Turn(number, "a" * 300, "because") for number in (1, 2, 3))


def file(path: str, size: int) -> dict[str, Any]:
    return {"path": path, "text": "x" * size, "bytes": size}


def material() -> Material:
    context = [file("small.py", 300), file("large.py", 900)]
    return Material({"files": [file("work.py", 600)], "context_files": context}, HISTORY)


def build(of: Material) -> Messages:
    files = [*of.values["files"], *of.values["context_files"]]
    said = "".join(one["text"] or "" for one in files) + of.note
    return ({"content": said}, *({"content": turn.answer} for turn in of.history))


WHOLE = tokens(build(material()))


def test_what_fits_is_left_as_it_is() -> None:
    assert fitting(material(), WHOLE, build) == fitting(material(), None, build) == material()


def test_the_largest_file_for_reading_goes_first() -> None:
    assert fitting(material(), WHOLE - 1, build).cut == ("large.py (900 bytes)",)


def test_then_the_oldest_attempts_and_never_the_last_one() -> None:
    cut = fitting(material(), 1, build)
    assert cut.cut == (
        "large.py (900 bytes)",
        "small.py (300 bytes)",
        "what attempt 1 answered",
        "what attempt 2 answered",
    )
    assert cut.history == HISTORY[-1:]
    assert cut.values["files"] == material().values["files"], "what is worked on is never cut"


def test_a_small_window_is_kept_and_what_is_cut_is_told(checkout: Checkout) -> None:
    checkout.commit({"large.py": "x = 1\n" * 2000, "small.py": "y = 1\n"})
    drop(checkout, "t1", files=["a.py"], context_files=["large.py", "small.py"])
    with opened(checkout, [whole(a_py="a\n")], model__window=5000) as house:
        house.work()
        assert "Left out of this prompt" in house.prompt(0) and "y = 1" in house.prompt(0)
        assert "x = 1" not in house.prompt(0)
        (told,) = (event for event in house.events if event.name == "prompt.cut")
        assert told.data == {"left_out": ["large.py (12000 bytes)"]}
        kept = house.factory.ledger.artifact("t1", "prompt-1.json") or b""
        assert json.loads(kept)["left_out"] == ["large.py (12000 bytes)"]


def test_the_model_is_told_what_it_does_not_see() -> None:
    (first, *_) = build(fitting(material(), WHOLE - 1, build))
    assert (
        "Left out of this prompt, to fit the model:\n- large.py (900 bytes)\n" in first["content"]
    )
