"""Keys in the environment of a real daemon, looked for everywhere after a whole run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aifactory.models.fake_provider import FakeProvider, Reply
from tests.conftest import Checkout
from tests.house import drop, whole

CANARY = b"canary-7f3a"
KEY = "sk-canary-7f3a-0123456789-abcdefghij"
PASSWORD = 'pass"word-canary-7f3a\\9'
SECRETS = {"OPENAI_API_KEY": KEY, "DEPLOY_PASSWORD": PASSWORD}
MODEL_HOST = "aifactory.models.host"
GATE = """
import os, pathlib, time
print(dict(os.environ))
for place in pathlib.Path("/proc").glob("[0-9]*/environ"):
    try:
        print(place.read_bytes())
    except OSError:
        pass
time.sleep(0.3)
"""


def holds(data: bytes) -> bool:
    return CANARY in data


@contextmanager
def watched(seen: set[str]) -> Iterator[None]:
    """Note the command line of every process that has a canary in its environment or arguments."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            for place in Path("/proc").glob("[0-9]*"):
                try:
                    line = (place / "cmdline").read_bytes()
                    if line and (holds(line) or holds((place / "environ").read_bytes())):
                        seen.add(line.replace(b"\0", b" ").decode())
                except OSError:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def kept_in(*places: Path) -> list[str]:
    """Every file below these places that holds a canary, in its name or its bytes."""
    files = (path for place in places for path in place.rglob("*") if not path.is_symlink())
    return [
        str(path)
        for path in files
        if holds(os.fsencode(path.name)) or (path.is_file() and holds(path.read_bytes()))
    ]


def objects(checkout: Checkout) -> bytes:
    done = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch", "--buffer"],
        cwd=checkout.root,
        capture_output=True,
        check=True,
    )
    return done.stdout


def test_a_key_is_nowhere_but_in_the_process_that_calls_the_model(
    checkout: Checkout, scratch: Path
) -> None:
    leaked = f"The key is {KEY}, the password {PASSWORD}.\n"
    replies = {
        "t1": [Reply(text=leaked, status=503), Reply(text=leaked + whole(a_py="a = 1\n"))],
        "t2": [Reply(text=whole(b_py=f"key = {KEY!r}\n"))],
        "t3": [Reply(text=leaked, status=401)],
    }
    seen: set[str] = set()
    home = scratch / "home"
    home.mkdir()
    with FakeProvider(replies) as provider, watched(seen):
        config = f"""
            [model]
            default = "openai/any"
            api_base = "{provider.api_base}"
            [gate]
            commands = ["python gate.py"]
            [sandbox]
            backend = "bubblewrap"
        """
        checkout.commit({"aifactory.toml": config, "gate.py": GATE}, "settings")
        for task_id, name in (("t1", "a.py"), ("t2", "b.py"), ("t3", "c.py")):
            drop(checkout, task_id, files=[name], max_attempts=1)
        places = {"HOME": str(home), "AIFACTORY_CACHE_DIR": str(scratch / "cache")}
        done = subprocess.run(
            [sys.executable, "-m", "aifactory.auto_agent", "--once", "--log-format", "json"],
            cwd=checkout.root,
            env=os.environ | places | SECRETS,
            capture_output=True,
            timeout=250,
            check=False,
        )
        sent = [request.headers["authorization"] for request in provider.seen]

    said = done.stderr.decode()
    assert (checkout.root / "a.py").exists(), said
    assert not (checkout.root / "b.py").exists()
    assert "looks like a secret" in said
    everything = objects(checkout)
    # The controls: the key was used, the provider said it, the gate printed an environment.
    assert set(sent) == {f"Bearer {KEY}"} and len(sent) == 4
    assert any(MODEL_HOST in line for line in seen)
    assert b"[redacted secret]" in everything and b"PYTHONDONTWRITEBYTECODE" in everything

    assert not holds(everything)
    assert kept_in(checkout.root, home, scratch / "cache") == []
    assert not holds(done.stdout) and not holds(done.stderr)
    assert [line for line in seen if MODEL_HOST not in line and "auto_agent" not in line] == []
