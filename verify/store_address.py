"""From the address of a store to connections: one server, one that sentinels name, or a cluster."""

from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from verify.cluster import SCHEMES as CLUSTER
from verify.cluster import ClusterConnection
from verify.connection import Connection, client, connect
from verify.sentinel import SCHEMES as SENTINEL
from verify.sentinel import SentinelConnection, parse_sentinel_address

SCHEMES = ("redis://", "rediss://", *SENTINEL, *CLUSTER, "unix://")


ESCAPES = "in a user or a password / ? # @ % are written %2F %3F %23 %40 %25"


def check_address(url: str) -> None:
    """Raises ValueError with a message that says what is wrong with an address, and quotes nothing of it."""
    if not url.startswith(SCHEMES):
        raise ValueError(f"must begin with {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}")
    parts = _parts(url)
    if url.startswith(SENTINEL):
        parse_sentinel_address(url)
        return
    if parts.scheme != "unix":
        _check_server(parts, cluster=url.startswith(CLUSTER))
    _check_parameters(url)


def connect_to(url: str, *, durable_replicas: int = 0) -> Connection:
    """Connections to the store at `url`: the server there, the primary that the sentinels there name, or the cluster
    that a node there belongs to. Raises ValueError for an address that is none."""
    check_address(url)
    if url.startswith(CLUSTER):
        return ClusterConnection(url.replace("+cluster", "", 1), durable_replicas=durable_replicas)
    if url.startswith(SENTINEL):
        return SentinelConnection(parse_sentinel_address(url), durable_replicas=durable_replicas)
    return connect(url, durable_replicas=durable_replicas)


def _parts(url: str) -> SplitResult:
    with suppress(ValueError):  # whose message would quote the address
        return urlsplit(url)
    raise ValueError(f"is no address; {ESCAPES}")


def _check_server(parts: SplitResult, *, cluster: bool) -> None:
    try:
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or parts.fragment or "@" in parts.path:
        raise ValueError(f"names no host, or a port that is no number up to 65535; {ESCAPES}")
    database = parts.path.strip("/")
    if database and not database.isdecimal():
        raise ValueError("names a database that is no number")
    if cluster and int(database or 0) != 0:
        raise ValueError("names a database of a cluster, which has none but 0")


def _check_parameters(url: str) -> None:
    """By making what a connection is made of: nothing is asked yet."""
    try:
        if url.startswith(CLUSTER):
            RedisCluster.from_url(url.replace("+cluster", "", 1))
        else:
            client(url).connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, RedisError):
        raise ValueError("has a parameter after the ? that is unknown, or whose value cannot be used") from None
