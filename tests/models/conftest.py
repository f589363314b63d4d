from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from aifactory.models import Gateway
from aifactory.models.remote import Remote
from aifactory.settings import Price


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One for all tests: its host takes seconds to import LiteLLM."""
    root = tmp_path_factory.mktemp("repository")
    (root / "answers.json").write_text(json.dumps({"tasks": {"t1": [{"text": "scripted"}]}}))
    prices = {"openai/priced": Price(prompt=100.0, completion=1000.0)}
    with Gateway(root, environment={"PATH": "/usr/bin:/bin"}, prices=prices) as opened:
        opened.warm()
        yield opened


@pytest.fixture(scope="session")
def remote(gateway: Gateway) -> Remote:
    """Single tries, through the same host."""
    return gateway.remote
