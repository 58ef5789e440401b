"""The plain page at `/`: what is running here, for whoever opens the address in a browser."""

from html import escape

from api.reference_page import page

LINKS = (
    ("/docs", "API reference"),
    ("/openapi.json", "OpenAPI document"),
    ("/.well-known/jwks.json", "public keys of tokens and receipts"),
    ("/healthz", "alive"),
    ("/readyz", "ready"),
    ("/metrics", "metrics"),
)


def home_page(*, version: str, authority: bool) -> str:
    """Name, version and links; with a local certificate authority also how to trust it."""
    links = (
        (*LINKS, ("/ca.crt", "certificate authority of this service, to be trusted on a phone")) if authority else LINKS
    )
    items = "".join(f"<li><a href='{address}'>{escape(text)}</a></li>" for address, text in links)
    what = "Remote identity verification. Registration services use the API; people come here by a link of their own."
    return page("heyan", f"<h1>heyan 核验 {escape(version)}</h1><p>{what}</p><ul>{items}</ul>")
