"""Links by which a person gets from the capture page back into the client's flow.

Where they may lead is the operator's word: origins (RFC 6454) that are registered for each client. Else whoever holds a
client's API key, or makes a careless client pass on an address of theirs, could send people from a page that they trust
to one that asks for more. A link says nothing of what came of the verification: the client is told that itself.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from re import fullmatch

from verify.errors import Invalid

LONGEST_URL = 1000
DEFAULT_PORTS = {"https": ":443", "http": ":80"}


def check_origin(text: str) -> str:
    """An origin in the one form that addresses are compared with: lower case, no default port, no slash at the end.

    Raises:
        Invalid: `return_origin_invalid` unless it is https://host or https://host:port; http:// only on loopback.
    """
    lowered = text.lower().removesuffix("/")
    found = fullmatch(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?", lowered)
    if found is None or (found[1] == "http" and not _is_loopback(found[2])):
        message = f"{text!r} is no origin: give https://host or https://host:port; http:// only leads to loopback"
        raise Invalid("return_origin_invalid", message)
    return lowered.removesuffix(DEFAULT_PORTS[found[1]])


def check_return_url(url: str, *, origins: Iterable[str]) -> str:
    """An address, if it is on one of these origins. It must be spelled as the origin is: nothing is left to parsers.

    Raises:
        Invalid: `return_url_refused`.
    """
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    if not plain or not any(url == origin or url.startswith((f"{origin}/", f"{origin}?")) for origin in origins):
        message = (
            "return_url must begin with an origin that is registered for this client, spelled like it; "
            "the operator registers one by `heyan keys return-origins`"
        )
        raise Invalid("return_url_refused", message)
    return url


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
