"""Events as sentences: known ones, unknown ones, and text that must not steer a terminal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory import narration, states
from aifactory.model import Event, State
from aifactory.narration import (
    STATE_WORDS,
    WORDS,
    describe,
    duration,
    money,
    needs_attention,
    one_line,
    printable,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def event(name: str, **data: Any) -> Event:
    return Event(id="1", at="2026-01-01T10:04:05.000000Z", run="r", task="t1", name=name, data=data)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (event("task.landed", state="done", commit="a" * 40), "landed: aaaaaaaaaa"),
        (event("task.blocked", state="blocked", reason="waits for t2"), "blocked: waits for t2"),
        (
            event("command.finished", argv=["python", "-m", "x y"], exit_code=1, seconds=1.25),
            "ran: `python -m 'x y'`; exit code 1; 1.2 s",
        ),
        (
            event("model.answered", cost_usd=0.0123, tokens={"prompt": 5, "completion": 2}),
            "the model answered: $0.0123; 5 tokens in, 2 out",
        ),
        (
            event("task.failed", failure={"class": "gate_failed", "message": "red", "stage": "x"}),
            "failed: gate_failed: red",
        ),
        (event("gate.finished", ok=False), "the gate is through: red"),
        (event("attempt.started", agent="coder", resumed=False), "the attempt starts: agent coder"),
        (event("odd.new", state="done", list=[1, {"a": 2}]), "odd new: state done; list 1, a 2"),
        (event("bare"), "bare"),
    ],
)  # fmt: skip
def test_describe(told: Event, sentence: str) -> None:
    assert describe(told) == sentence


@given(st.sampled_from([*WORDS, "unknown.name"]), st.dictionaries(st.text(), JSON))
def test_any_event_is_one_printable_line(name: str, data: dict[str, Any]) -> None:
    line = describe(event(name, data=data))
    assert line and "\n" not in line and "\x1b" not in line


@given(st.sampled_from(["argv", "seconds", "cost_usd", "tokens", "failure", "ok", "commit"]), JSON)
def test_data_of_the_wrong_kind_is_still_told(key: str, value: Any) -> None:
    assert describe(event("command.finished", **{key: value})).startswith("ran")


@given(st.text(st.characters(max_codepoint=0x2100)))
def test_nothing_printable_steers_a_terminal(text: str) -> None:
    shown = printable(text)
    assert all(sign in "\n\t" or sign.isprintable() or ord(sign) > 159 for sign in shown)
    assert not set(shown) & {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def test_every_event_of_the_table_has_words() -> None:
    assert {name for _, name in states.TABLE} - set(WORDS) == set()
    assert set(STATE_WORDS) == set(State)


def test_what_needs_attention() -> None:
    assert needs_attention(event("task.failed")) and needs_attention(event("file.refused"))
    assert not needs_attention(event("task.landed"))


def test_numbers_for_people() -> None:
    spans = [duration(seconds) for seconds in (0, 9.96, 12.3, 59.9, 61, 3723)]
    assert spans == ["0.0 s", "10 s", "12 s", "1:00", "1:01", "1:02:03"]
    sums = [money(usd) for usd in (0, 0.00006, 0.5, 12.346)]
    assert sums == ["$0.00", "$0.0001", "$0.5000", "$12.35"]
    assert one_line("a\n b\t c", 4) == "a b…"


def test_every_event_that_is_emitted_has_words_and_no_other() -> None:
    package = Path(narration.__file__).parent
    code = "".join(
        path.read_text() for path in package.rglob("*.py") if path.name != "narration.py"
    )
    emitted = set(re.findall(r'emit\(\s*"([a-z]+\.[a-z]+)"', code))
    assert emitted and emitted - set(WORDS) == set()
    assert [name for name in WORDS if f'"{name}"' not in code] == []
