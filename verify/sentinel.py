"""A primary that sentinels name (Redis Sentinel, Valkey Sentinel): after a failover the new one is asked.

`redis+sentinel://[user:password@]host:port[,host:port...]/SERVICE[/DATABASE][?sentinel_password=...]`: user and
password are the servers' own. What a failed primary had acknowledged is on the new one only if a replica had to confirm
it (`durable_replicas`); a primary that is cut off must stop by itself (`min-replicas-to-write 1` on the servers).
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import ConnectionError

from verify.connection import BACKOFF, CONNECT_SECONDS, Connection

SCHEMES = ("redis+sentinel://", "rediss+sentinel://")
PORT = 26379
"""Of a sentinel, where the address names none."""
REPEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelAddress:
    """What an address says."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    database: int = 0
    username: str | None = None
    password: str | None = None
    sentinel_password: str | None = None
    tls: bool = False


def parse_sentinel_address(url: str) -> SentinelAddress:
    """Read an address as above. Raises ValueError, with a message that says what is wrong and quotes nothing."""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError(f"names no service: {SCHEMES[0]}host:{PORT},host:{PORT}/SERVICE")
    if database and not database.isdigit():
        raise ValueError("names a database that is no number")
    given = parse_qs(parts.query)
    if given.keys() - {"sentinel_password"}:
        raise ValueError("holds another parameter than sentinel_password")
    return SentinelAddress(
        sentinels=tuple(_place(host) for host in hosts.split(",")),
        service=unquote(service),
        database=int(database or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
        sentinel_password=given.get("sentinel_password", [None])[0],
        tls=parts.scheme.startswith("rediss"),
    )


class SentinelConnection(Connection):
    """Connections to whatever server the sentinels call the primary."""

    def __init__(self, address: SentinelAddress, *, durable_replicas: int = 0) -> None:
        shared: dict[str, Any] = {"socket_connect_timeout": CONNECT_SECONDS}
        if address.tls:
            shared["ssl"] = True
        self._sentinels = Sentinel(  # type: ignore[no-untyped-call]
            list(address.sentinels),
            sentinel_kwargs={
                "password": address.sentinel_password,
                "socket_timeout": CONNECT_SECONDS,
                "retry": Retry(BACKOFF, 0),
                **shared,
            },
        )
        primary: Redis = self._sentinels.master_for(
            address.service,
            db=address.database,
            username=address.username,
            password=address.password,
            socket_timeout=None,
            retry=Retry(BACKOFF, REPEATS, supported_errors=(ConnectionError,)),
            **shared,
        )
        super().__init__(primary, durable_replicas=durable_replicas)

    async def close(self) -> None:
        """Close all connections."""
        await super().close()
        for sentinel in self._sentinels.sentinels:
            await sentinel.aclose()


def _place(host: str) -> tuple[str, int]:
    try:
        parsed = urlsplit(f"//{host}")
        name, port = parsed.hostname, parsed.port or PORT
    except ValueError:
        raise ValueError("names a sentinel that is no HOST:PORT") from None
    if not name:
        raise ValueError("names a sentinel without a host")
    return name, port
