"""Names, addresses and connections of the outside, for `proxy`; and which of them are nobody's own.

A name is resolved once and only the addresses that were looked at are connected to, so that a
second answer of a name server cannot lead elsewhere.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

CONNECT_SECONDS = 15.0
# Ways to write an IPv4 address as an IPv6 one that a router turns back (RFC 6052, 8215).
_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


class Network(Protocol):
    """What a proxy needs of the outside."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name; raises OSError when it has none."""
        ...

    def connect(self, address: str, port: int) -> socket.socket:
        """A connection to an address, which is no name; raises OSError."""
        ...


class Internet:
    """The machine's own resolver and its own way out."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def connect(self, address: str, port: int) -> socket.socket:
        made = socket.create_connection((address, port), CONNECT_SECONDS)
        if made.getsockname()[0] == made.getpeername()[0]:
            made.close()
            raise OSError(f"{address} is this machine itself")
        return made


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet at large: not to this machine, not to a network
    of somebody's own, and no such address in disguise."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return is_public(str(found.ipv4_mapped))
        hidden = found.sixtofour or found.teredo or found.is_site_local
        if hidden or any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not found.is_multicast


def reach(network: Network, host: str, port: int) -> tuple[socket.socket, str]:
    """A connection to a host by its name, and the address it went to.

    Raises PermissionError when one of its addresses is not public, other OSErrors where nobody
    answers.
    """
    addresses = network.resolve(host, port)
    if private := [address for address in addresses if not is_public(address)]:
        raise PermissionError(f"{host} leads to {private[0]}, which is not public")
    problem = OSError(f"{host} has no address")
    for address in addresses:
        try:
            return network.connect(address, port), address
        except OSError as error:
            problem = error
    raise problem
