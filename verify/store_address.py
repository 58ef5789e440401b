"""From the address of a store to connections: one server, one that sentinels name, or a cluster."""

from verify.cluster import SCHEMES as CLUSTER
from verify.cluster import ClusterConnection
from verify.connection import Connection, connect
from verify.sentinel import SCHEMES as SENTINEL
from verify.sentinel import SentinelConnection, parse_sentinel_address

SCHEMES = ("redis://", "rediss://", *SENTINEL, *CLUSTER, "unix://")


def check_address(url: str) -> None:
    """Raises ValueError with a message that says what is wrong with an address."""
    if not url.startswith(SCHEMES):
        raise ValueError(f"must begin with {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}")
    if url.startswith(SENTINEL):
        parse_sentinel_address(url)


def connect_to(url: str, *, durable_replicas: int = 0) -> Connection:
    """Connections to the store at `url`: the server there, the primary that the sentinels there name, or the cluster
    that a node there belongs to. Raises ValueError for an address that is none."""
    check_address(url)
    if url.startswith(CLUSTER):
        return ClusterConnection(url.replace("+cluster", "", 1), durable_replicas=durable_replicas)
    if url.startswith(SENTINEL):
        return SentinelConnection(parse_sentinel_address(url), durable_replicas=durable_replicas)
    return connect(url, durable_replicas=durable_replicas)
