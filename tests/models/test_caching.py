"""What is marked for a provider's cache, and when."""

from __future__ import annotations

from typing import Any

from aifactory.models.caching import MARK, marked

FIRST = {"role": "user", "content": "the files"}
AGAIN = [FIRST, {"role": "assistant", "content": "no"}, {"role": "user", "content": "why"}]


def block(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": MARK}]


def test_a_prompt_that_is_sent_once_is_not_paid_to_be_kept() -> None:
    assert marked("anthropic", [FIRST], []) == [FIRST]


def test_a_second_attempt_keeps_the_first_prompt_and_what_was_said_since() -> None:
    first, answer, last = marked("anthropic", AGAIN, [])
    assert (first["content"], last["content"]) == (block("the files"), block("why"))
    assert answer == AGAIN[1]


def test_a_talk_with_tools_is_kept_from_the_start() -> None:
    assert marked("anthropic", [FIRST], [{"type": "function"}])[0]["content"] == block("the files")


def test_other_providers_keep_by_themselves() -> None:
    assert marked("openai", AGAIN, []) == AGAIN
