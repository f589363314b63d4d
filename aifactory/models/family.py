"""Which models are of one kind, so that one may judge the other's work only if they are not."""

from __future__ import annotations

import re

_FAMILIES = {
    "anthropic": ("claude",),
    "openai": ("gpt", "chatgpt", "codex", "o1", "o3", "o4", "davinci"),
    "google": ("gemini", "gemma", "palm"),
    "meta": ("llama", "codellama"),
    "mistral": ("mistral", "mixtral", "codestral", "ministral", "devstral", "magistral", "pixtral"),
    "alibaba": ("qwen", "qwq"),
    "deepseek": ("deepseek",),
    "xai": ("grok",),
    "cohere": ("command", "aya"),
    "amazon": ("nova", "titan"),
    "microsoft": ("phi", "wizardlm"),
    "moonshot": ("kimi",),
    "zhipu": ("glm", "chatglm"),
    "minimax": ("minimax",),
    "nvidia": ("nemotron",),
    "ibm": ("granite",),
}


def family(model: str) -> str:
    """The maker of a model, by the words of its name; the whole name where no maker is known.

    The maker counts and not the service that runs it: `bedrock/anthropic.claude-3` and
    `openrouter/anthropic/claude-4` are both `anthropic`. A distilled model is of its last name.
    """
    words = re.findall(r"[a-z]+\d*", model.lower().rpartition("/")[2])
    for word in reversed(words):
        for maker, beginnings in _FAMILIES.items():
            if word.startswith(beginnings) and (
                word[:2] not in ("o1", "o3", "o4") or len(word) == 2
            ):
                return maker
    return model
