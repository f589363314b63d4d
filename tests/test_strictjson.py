"""JSON that Python's own reader would take, or die of."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory.strictjson import MOST_BYTES, MOST_DEPTH, MOST_VALUES, parse

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text('ab\u00e9{}[],:"', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


def problem(data: bytes) -> str:
    _, problems = parse(data, "t.json")
    assert problems
    return "\n".join(map(str, problems))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "t.json: expected a JSON object, got an empty file"),
        (b" \n\xef\xbb\xbf", "t.json: expected valid JSON"),
        (b'{"a": 1,\n "b" 2}', "at line 2, column 6"),
        (b"{'a': 1}", "at line 1, column 2"),
        (b'{"a": 1} x', "Extra data at line 1, column 10"),
        (b'{"a": "\xff"}', "expected UTF-8 text, got the byte 0xff at offset 7"),
        ('{"a": 1}'.encode("utf-16"), "expected UTF-8 text"),
        (b'{"a": {"b": 1, "b": 1}}', "b: expected the name once in its object, got it twice"),
        (b'{"a": NaN}', "a: expected a finite number"),
        (b'{"a": [1, -Infinity]}', "a[1]: expected a finite number"),
        (b'{"a": 1e999}', "a: expected a finite number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a: expected a finite number of at most 18 digits"),
        (b'{"a": "x\\u0000y"}', "a: expected text without NUL characters"),
        (b'{"a\\u0000": 1}', "expected text without NUL characters"),
        (b'{"a": "\\ud800"}', "a: expected text that is valid Unicode, got a lone surrogate"),
        (b"x" * (MOST_BYTES + 1), "expected at most 1048576 bytes, got 1048577 bytes"),
        (b"[" * 500_000, "expected at most 100 levels of nesting"),
        (b"[" * (MOST_DEPTH + 2) + b"]" * (MOST_DEPTH + 2), "100 levels of nesting"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "100 levels of nesting"),
        (b"[" + b"1," * MOST_VALUES + b"1]", "at most 20000 values"),
    ],
)
def test_is_a_problem(data: bytes, said: str) -> None:
    assert said in problem(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 10_000_000,
        b'{"a":' * 2_000_000,
        b"[" * 500_000 + b"]" * 500_000,
        b"[" + b"1," * 500_000 + b"1]",
        b"{" + b",".join(b'"%d":1' % n for n in range(80_000)) + b',"1":2}',
    ],
    ids=["lists", "objects", "closed", "flat", "names"],
)
def test_large_documents_cost_little(data: bytes) -> None:
    start = time.process_time()
    assert problem(data)
    assert time.process_time() - start < 3


@given(PLAIN)
def test_plain_json_is_read_as_it_is(document: object) -> None:
    assert parse(json.dumps(document).encode(), "t.json") == (document, [])


def test_byte_order_mark_is_no_problem() -> None:
    assert parse(b"\xef\xbb\xbf[1]", "t.json") == ([1], [])


@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    document, problems = parse(data, "t.json")
    assert problems or document == json.loads(data.decode("utf-8-sig"))
