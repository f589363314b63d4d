"""Secrets: found by the name of their variable or by their shape, everywhere in the data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory.redaction import MASK, masked_bytes, public, redacted, redacted_data, secrets_of

SHAPES = [
    "sk-ant-api03-abcdefghijklmnop",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijklmnop",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA-1234567890abcdefghijklmnopqrstu",
    "xoxb-123456789012-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
    "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SHAPES)
def test_known_shapes_go(secret: str) -> None:
    assert redacted(f"before {secret} after", {}) == f"before {MASK} after"


def test_parts_that_identify_stay() -> None:
    said = redacted("Bearer abcdefghijklmnopqrst, https://user:pass@host/x", {})
    assert said == f"Bearer {MASK}, https://{MASK}@host/x"
    assert redacted("task-1 sk-short src/keys.py $0.01", {}) == "task-1 sk-short src/keys.py $0.01"


VALUES = st.text(min_size=8).filter(lambda value: not value.startswith("/"))  # no names of files


@given(VALUES, st.text(), st.text())
def test_values_of_secret_variables_go(value: str, before: str, after: str) -> None:
    text = before + value + after
    assert value not in redacted(text, {"MY_API_KEY": value}).replace(MASK, "")
    assert redacted("plain text", {"MY_PATH": "plain text"}) == "plain text"


@given(VALUES)
def test_values_go_from_files_of_json_too(value: str) -> None:
    for document in (json.dumps([value]), json.dumps([value], ensure_ascii=False)):
        assert json.loads(masked_bytes(document.encode(), {"MY_TOKEN": value})) == [MASK]


NAMED = ["OPENAI_API_KEY", "GH_TOKEN", "TOKEN", "PGPASSWORD", "my_secret", "AWS_CREDENTIALS",
         "APIKEY", "KEYS_2"]  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_names_of_secrets(name: str) -> None:
    environ = {name: "correct-horse"}
    assert secrets_of(environ) == ("correct-horse",)
    assert public(environ | {"PATH": "/usr/bin"}) == {"PATH": "/usr/bin"}


def test_what_is_no_secret_by_its_name() -> None:
    environ = {
        "SSH_PUBLIC_KEY": "ssh-ed25519 x",
        "SONAR_PROJECT_KEY": "aifactory",
        "KEYMAP": "us-international",
    }
    assert secrets_of(environ) == ()
    assert public(environ) == environ


def test_a_key_is_a_secret_under_any_name() -> None:
    environ = {"DATABASE_URL": "postgres://ada:hunter2hunter@db/x", "MODEL": SHAPES[0]}
    assert set(secrets_of(environ)) == {"ada:hunter2hunter", SHAPES[0]}
    assert public(environ) == {}


def test_the_place_of_a_secret_is_none(tmp_path: Path) -> None:
    place = tmp_path / "credentials.json"
    place.write_text("{}")
    assert secrets_of({"GOOGLE_APPLICATION_CREDENTIALS": str(place)}) == ()


def test_words_that_only_end_like_a_key_stay() -> None:
    said = "task-management-dashboard-of-2026 and disk-partition-layout-number-1"
    assert redacted(said, {}) == said


def test_short_values_are_no_secrets_and_longer_ones_go_first() -> None:
    environ = {"A_KEY": "abc", "B_TOKEN": "longer-secret", "C_SECRET": "longer-secret-still"}
    assert redacted("abc longer-secret-still longer-secret", environ) == f"abc {MASK} {MASK}"


def test_data_is_searched_at_any_depth() -> None:
    data = {"a": [{"b": "x secret-value"}, 7, None], "c": ("secret-value",)}
    assert redacted_data(data, {"K_PASSWORD": "secret-value"}) == {
        "a": [{"b": f"x {MASK}"}, 7, None],
        "c": [MASK],
    }
