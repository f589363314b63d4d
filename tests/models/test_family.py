"""Which models are of one kind."""

from __future__ import annotations

import pytest

from aifactory.models.family import family


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("openai/gpt-4o", "openai"),
        ("azure/gpt-4.1-mini", "openai"),
        ("o3-mini", "openai"),
        ("anthropic/claude-sonnet-4", "anthropic"),
        ("bedrock/anthropic.claude-3-haiku-20240307-v1:0", "anthropic"),
        ("openrouter/anthropic/claude-opus-4", "anthropic"),
        ("gemini/gemini-2.5-pro", "google"),
        ("ollama/llama3.1:8b", "meta"),
        ("groq/mixtral-8x7b", "mistral"),
        ("ollama/qwen2.5-coder", "alibaba"),
        ("deepseek/deepseek-chat", "deepseek"),
        ("xai/grok-4", "xai"),
        ("scripted/answers.json", "scripted/answers.json"),
        ("openai/my-own-model", "openai/my-own-model"),
    ],
)
def test_the_maker_counts_and_not_the_service(model: str, maker: str) -> None:
    assert family(model) == maker
