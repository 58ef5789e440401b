"""What the image's HEALTHCHECK runs: does the service of this container answer, where its settings say that it is?

It reads these few settings by itself, as it runs every few seconds and to load them all would take it a second.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.request import urlopen

YES = frozenset({"1", "on", "t", "true", "y", "yes"})
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}  # noqa: S104 - what it is reached by
SECONDS = 2.0


def address(environment: Mapping[str, str]) -> str:
    """Of `/healthz`, from HEYAN_HOST, HEYAN_PORT and HEYAN_TLS. Options of `heyan serve` are not known here."""
    named = environment.get("HEYAN_HOST") or "127.0.0.1"
    host = EVERYWHERE.get(named, named)
    scheme = "https" if environment.get("HEYAN_TLS", "").lower() in YES else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{environment.get('HEYAN_PORT') or 8420}/healthz"


def check(environment: Mapping[str, str]) -> None:
    """Raises OSError if it does not answer that it is well, over TLS with a certificate of its own authority."""
    url = address(environment)
    authority = Path(environment.get("HEYAN_DATA_DIR", "/data")) / "tls" / "ca.pem"
    trusted = ssl.create_default_context(cafile=str(authority)) if url.startswith("https:") else None
    with urlopen(url, timeout=SECONDS, context=trusted) as answer:  # noqa: S310 - the scheme is ours
        answer.read()


if __name__ == "__main__":
    check(os.environ)
