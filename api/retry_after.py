"""What the other side of a POST says about when to come again."""

import httpx


def retry_after(answer: httpx.Response) -> float | None:
    """Retry-After in seconds (RFC 9110, section 10.2.3); the form with a date is not understood, and our own schedule
    holds."""
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None
