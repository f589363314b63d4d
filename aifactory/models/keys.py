"""Where the keys of providers stand: in the environment, under the names that LiteLLM uses."""

from __future__ import annotations

from collections.abc import Mapping

# The variables that hold the key of a provider, as LiteLLM names them; any one of them does.
KEYS: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "azure": ("AZURE_API_KEY",),
    "bedrock": ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"),
    "cohere": ("COHERE_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks_ai": ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "together_ai": ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY"),
    "vertex_ai": ("GOOGLE_APPLICATION_CREDENTIALS", "VERTEXAI_PROJECT"),
    "xai": ("XAI_API_KEY",),
}
KEYLESS = ("ollama", "ollama_chat", "lm_studio", "llamafile", "vllm", "hosted_vllm")


def variables(model: str) -> tuple[str, ...]:
    """The variables of a model's provider, any one of which holds its key."""
    provider, _, rest = model.partition("/")
    own = provider if rest else "openai"
    return KEYS.get(own, (f"{own.upper()}_API_KEY",))


def known(model: str) -> bool:
    """Whether the variables of its provider are known, and not only likely."""
    return model.partition("/")[0] in KEYS or "/" not in model


def found(model: str, environ: Mapping[str, str]) -> str | None:
    """The variable that holds the model's key."""
    return next((name for name in variables(model) if environ.get(name)), None)


def missing(model: str, api_base: str | None, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables of which one must be set; none where one is, or where no key is needed."""
    needless = api_base is not None or model.partition("/")[0] in (*KEYLESS, "scripted")
    return () if needless or found(model, environ) else variables(model)
