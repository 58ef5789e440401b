"""What keeps a store on the network from being used, for its operator: where, why, and which setting to mend.

In words of our own: what servers and libraries say may quote an address, and an address may hold a password.
"""

import ssl
from collections.abc import Iterator
from socket import gaierror
from urllib.parse import urlsplit

from redis import exceptions as redis
from redis.asyncio.sentinel import MasterNotFoundError

from verify.cluster import SCHEMES as CLUSTER
from verify.errors import StoreUnavailable

ADDRESS = "HEYAN_STORE_URL"
ASKS = "it asks for a password: HEYAN_STORE_PASSWORD names its file"

SAID: tuple[tuple[type[Exception], str, str], ...] = (
    (redis.AuthenticationError, "HELLO must be called", ASKS),
    (redis.AuthenticationError, "Authentication required", ASKS),
    (redis.AuthenticationError, "", "the password was refused, or the user ({password})"),
    (redis.NoPermissionError, "", "its user may not do what heyan has to: give it all commands on the keys heyan:*"),
    (redis.ResponseError, "DB index", "it has no database of that number: mend the end of {address}"),
    (redis.ResponseError, "cluster support disabled", "it is no cluster: write redis:// in place of redis+cluster://"),
    (redis.MovedError, "", "it is a node of a cluster: write redis+cluster:// in place of redis://"),
    (redis.ReadOnlyError, "", "it is a replica, which only reads: name the primary"),
    (MasterNotFoundError, "", "no sentinel there answers and names a primary: see to hosts, ports and service"),
    (ssl.SSLCertVerificationError, "", "its certificate is not trusted here: add ?ssl_ca_certs=FILE to {address}"),
    (ssl.SSLError, "", "TLS failed: rediss:// is for a port with TLS, redis:// for one without"),
    (gaierror, "", "no host is known by that name"),
    (ConnectionRefusedError, "", "nothing listens there: start it, or mend {address}"),
    (FileNotFoundError, "", "a socket or a file that {address} names is not there"),
    (PermissionError, "", "this user may not open it: see to its permissions"),
)
"""Kind of an error, a part of what it says, and what that means. The first that fits an error, or a cause of it, wins.
"""

SILENT = "it does not answer in time: see that it runs, and that no firewall is in between"
SILENT_TLS = "it does not answer in time; rediss:// is for a port with TLS: write redis:// for one without"
BROKEN_OFF = "it ended the connection: a port with TLS needs rediss:// in place of redis://"


def fault_of(error: StoreUnavailable, *, url: str, password: str) -> str | None:
    """What is wrong, without a secret; None for what has nothing to do with the connection.

    Args:
        error: as a command to the store at `url` has raised it.
        url: the address, which may hold a password.
        password: what to call the place that the password is from.
    """
    causes = list(_causes(error))
    fault = next((_meant(cause) for cause in causes if _meant(cause)), None) or _silence(causes, url)
    if fault is None:
        return None
    return f"{ADDRESS} {place_of(url)}: {fault.format(password=password, address=ADDRESS)}"


def place_of(url: str) -> str:
    """Where an address leads, without what it may hold of a user and a password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path


def _meant(error: BaseException) -> str | None:
    told = str(error)
    return next((meaning for kind, part, meaning in SAID if isinstance(error, kind) and part in told), None)


def _silence(causes: list[BaseException], url: str) -> str | None:
    """Of an answer that does not come, whoever has stopped waiting for it."""
    if any(isinstance(cause, TimeoutError | redis.TimeoutError) for cause in causes):
        return SILENT_TLS if url.startswith("rediss") else SILENT
    broken = any(isinstance(cause, redis.ConnectionError) for cause in causes)
    return BROKEN_OFF if broken and not url.startswith(("rediss", "unix", *CLUSTER)) else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = error.__cause__ or error.__context__
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
