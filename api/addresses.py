"""Which addresses a webhook may lead to, whatever clothes they come in.

An IPv6 address can stand for an IPv4 one, in one of several forms; what it leads to is judged by both. The networks are
listed here (IANA's registries of special-purpose addresses), as what `ipaddress` says of them differs between versions
of Python.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PUBLIC_V6 = IPv6Network("2000::/3")
"""All that is assigned to the public internet; outside of it lie private, local and translated addresses."""

_SPECIAL: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "3fff::/20",
        ),
    )
)
"""Not public: RFC 6890 and its successors; among those of version 6 Teredo and 6to4, which lead to any IPv4 address."""

_NOWHERE: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/4",
            "255.255.255.255/32",
            "::/128",
            "64:ff9b:1::/48",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
"""Unspecified, link-local, site-local (RFC 3879), multicast, broadcast. Of the NAT64 prefix of RFC 8215 only its own
translator knows where in an address the IPv4 one lies."""

_LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

_MAPPED = IPv6Network("::ffff:0:0/96")
_ENDS_IN_IPV4 = (_MAPPED, *map(IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""IPv4-mapped and IPv4-compatible (RFC 4291), IPv4-translated (SIIT, RFC 2765), NAT64 (RFC 6052)."""
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_LAST_32 = 0xFFFF_FFFF


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet, and cannot stand for one that does not."""
    found = _read(address)
    return found.is_global and not _within(found, _SPECIAL) and (found.version == 4 or found in _PUBLIC_V6)  # noqa: PLR2004


def is_nowhere(address: str) -> bool:
    """Whether no host to be written to has this address, nor one that it carries, in private networks neither. Those
    that are link-local hold the clouds' metadata services."""
    found = _read(address)
    return not _within(found, _LOOPBACK) and any(_within(each, _NOWHERE) for each in (found, *_carried(found)))


def is_loopback(address: str) -> bool:
    """Whether an address leads to this very machine, and its packets over no network."""
    return _within(_read(address), _LOOPBACK)


def _read(address: str) -> Address:
    """An address; the IPv4 one of a mapped one, since a connection to either is the same."""
    found = ip_address(address)
    return _carried(found)[0] if found in _MAPPED else found


def _carried(found: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 one may lead to."""
    number = int(found)
    if found.version == 4:  # noqa: PLR2004
        return ()
    if _within(found, _ENDS_IN_IPV4):
        return (IPv4Address(number & _LAST_32),)
    if found in _SIX_TO_FOUR:
        return (IPv4Address(number >> 80 & _LAST_32),)  # RFC 3056, section 2
    if found in _TEREDO:
        return (IPv4Address(number >> 64 & _LAST_32), IPv4Address(~number & _LAST_32))  # RFC 4380, section 4
    return ()


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
