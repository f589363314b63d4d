"""Whether everything is there that the work needs; each finding that is not good has a remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from aifactory.doctor import cage, machine, repository, servers, work
from aifactory.doctor.ground import FAIL, OK, WARN, Finding, Ground, Level
from aifactory.errors import AifactoryError

__all__ = ["FAIL", "LOOKS", "OK", "WARN", "Finding", "Ground", "Level", "examine"]


def examine(ground: Ground) -> Iterator[Finding]:
    """Every finding, as it is made. What cannot be examined is a finding too."""
    for name, look in LOOKS.items():
        try:
            yield from look(ground)
        except AifactoryError as error:
            yield Finding(name, FAIL, error.message, error.next_step)
        except OSError as error:
            yield Finding(name, FAIL, str(error), "see that this can be read and run")


LOOKS: Mapping[str, Callable[[Ground], Iterator[Finding]]] = {
    "git": machine.git,
    "repository": repository.repository,
    "identity": repository.identity,
    "config": repository.config,
    "sandbox": cage.sandbox,
    "model": work.model,
    "agents": work.agents,
    "servers": servers.servers,
    "forge": repository.forge,
    "disk": machine.disk,
    "clock": machine.clock,
    "daemon": repository.daemon,
}
