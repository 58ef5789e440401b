"""What pages for people are made of: the plain page at `/about`, and what the capture page may do."""

from html import escape
from urllib.parse import urlsplit

from api.reference_page import page
from verify.casefile import Language

LINKS = (
    ("docs", "API reference"),
    ("openapi.json", "OpenAPI document"),
    (".well-known/jwks.json", "public keys of tokens and receipts"),
    ("healthz", "alive"),
    ("readyz", "ready"),
    ("metrics", "metrics"),
)


def capture_policy(public_url: str) -> str:
    """Content-Security-Policy of the capture page: files, requests and the WebSocket of this service alone.

    `public_url`: its WebSocket is named beside 'self', which older browsers do not take to include it.
    """
    address = urlsplit(public_url)
    socket = f"{'wss' if address.scheme == 'https' else 'ws'}://{address.netloc}"
    own = "script-src 'self'; style-src 'self'; img-src 'self'"
    none = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; {own}; connect-src 'self' {socket}; {none}"


def preferred_language(accepted: str) -> Language:
    """The language in which the capture page begins, as its own script chooses it: by the first of Accept-Language.

    `accepted`: the header, "" if there is none.
    """
    return "en" if accepted and not accepted.lower().startswith("zh") else "zh"


def home_page(*, version: str, authority: bool) -> str:
    """Name, version and links; with a local certificate authority also how to trust it."""
    links = (
        (*LINKS, ("ca.crt", "certificate authority of this service, to be trusted on a phone")) if authority else LINKS
    )
    items = "".join(f"<li><a href='{address}'>{escape(text)}</a></li>" for address, text in links)
    what = "Remote identity verification. Registration services use the API; people come here by a link of their own."
    return page("heyan", f"<h1>heyan 核验 {escape(version)}</h1><p>{what}</p><ul>{items}</ul>")
