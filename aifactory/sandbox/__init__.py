"""The cage: the only way that a command is run.

`choose()` finds a sandbox that works here, `Sandbox.run(Spec(...))` runs one command in it and
returns a `CommandRecord`, or raises `SandboxUnusable`: there is no result from outside a cage.
"""

from __future__ import annotations

from aifactory.sandbox.choice import (
    STRENGTHEN,
    Finding,
    choose,
    choose_strong,
    choose_strongest,
    self_test,
    unheld,
    weakness,
)
from aifactory.sandbox.door import Door, opened
from aifactory.sandbox.exec import run_in
from aifactory.sandbox.fake import FakeNetwork, FakeSandbox
from aifactory.sandbox.guarded import PROXY_PORT
from aifactory.sandbox.internet import Internet, Network
from aifactory.sandbox.owner import free_owner, owner
from aifactory.sandbox.proxy import Request, serve
from aifactory.sandbox.scratch import layered
from aifactory.sandbox.spec import Limits, Sandbox, Spec
from aifactory.sandbox.talk import Talk
from aifactory.sandbox.toolchain import Toolchain, own_toolchain, toolchain

__all__ = [
    "PROXY_PORT",
    "STRENGTHEN",
    "Door",
    "FakeNetwork",
    "FakeSandbox",
    "Finding",
    "Internet",
    "Limits",
    "Network",
    "Request",
    "Sandbox",
    "Spec",
    "Talk",
    "Toolchain",
    "choose",
    "choose_strong",
    "choose_strongest",
    "free_owner",
    "layered",
    "opened",
    "own_toolchain",
    "owner",
    "run_in",
    "self_test",
    "serve",
    "toolchain",
    "unheld",
    "weakness",
]
