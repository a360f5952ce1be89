"""Find out who asks: the address of the client, and what of it counts as one caller.

``X-Forwarded-For`` is a header that anybody can send. It is read only when the
connection itself comes from a trusted proxy, and from the right: each trusted
proxy vouches for the one entry that it added, and for nothing to its left.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from fastapi import Request

from service.settings import PREFIX, BadSetting

_IPV6_BITS = 64  # what one subscriber is given, at least; within it addresses are free
_NO_ADDRESS = "local"  # a socket file has no address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def read_networks(text: str) -> tuple[Network, ...]:
    """Read the setting of trusted proxies.

    Raises:
        BadSetting: an entry is no network; one with host bits set is none.
    """
    networks = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(entry))
        except ValueError as error:
            raise BadSetting(f"{PREFIX}TRUSTED_PROXIES", entry, str(error)) from error
    return tuple(networks)


def client_of(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """Name the address that a request came from.

    Args:
        peer: address of the connection.
        forwarded: every ``X-Forwarded-For`` header, in order; not trusted.
        trusted: networks of our own proxies.

    Returns:
        An address, or what stands for one when the connection has none.
    """
    address = _address(peer)
    if address is None:
        return peer or _NO_ADDRESS
    entries = [entry for header in forwarded for entry in header.split(",")]
    while entries and _is_in(address, trusted):
        claimed = _address(_without_port(entries.pop()))
        if claimed is None:  # nothing that a proxy of ours would write, so nothing left of it counts
            break
        address = claimed
    return str(address)


def caller_of(client: str) -> str:
    """Give what counts as one caller: an IPv4 address, or the /64 network of an IPv6 address."""
    address = _address(client)
    if isinstance(address, IPv6Address):
        return str(ip_network((address.packed, _IPV6_BITS), strict=False))
    return client


def client_address(request: Request, trusted: Sequence[Network]) -> str:
    """Name the address that a request came from; see :func:`client_of`."""
    peer = "" if request.client is None else request.client.host
    return client_of(peer, request.headers.getlist("x-forwarded-for"), trusted)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _without_port(entry: str) -> str:
    """Cut off the port that some proxies write: ``192.0.2.1:443``, ``[2001:db8::1]:443``."""
    entry = entry.strip()
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
