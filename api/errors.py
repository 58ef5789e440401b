"""Errors that belong to the translation to HTTP and WebSocket itself; other packages bring their own.

ApiError
├── RequestTooLargeError    request_too_large
├── RequestTooSlowError     request_too_slow
├── UnauthorizedError       key_missing
├── ForbiddenError          scope_missing
├── CredentialMissingError  credential_missing
├── ConsoleError            role_missing, form_refused, search_invalid
├── OverloadedError         overloaded, draining
├── TooManyRequestsError    too_many_requests
├── IdempotencyPendingError idempotency_in_progress
├── PreconditionFailedError precondition_failed
├── ListeningError          address_unusable
├── CertificateError        certificate_damaged
└── StreamError             subprotocol_missing, claim_expected, claim_timeout, message_unknown, message_malformed,
                            message_unexpected, resume_refused
"""

from pathlib import Path


class ApiError(Exception):
    """A request that cannot be served. `code` is stable, `status` the HTTP status, `retry_after` seconds or None."""

    def __init__(self, code: str, message: str, *, status: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after


class RequestTooLargeError(ApiError):
    """The body is larger than the service takes."""

    def __init__(self, max_bytes: int) -> None:
        message = (
            f"the request body may have {max_bytes} bytes; send smaller photos (HEYAN_MAX_BODY_BYTES is the limit)"
        )
        super().__init__("request_too_large", message, status=413)


class RequestTooSlowError(ApiError):
    """The body does not come."""

    def __init__(self) -> None:
        message = "the request body did not come in time; nothing was changed: repeat it over a better connection"
        super().__init__("request_too_slow", message, status=408)


class UnauthorizedError(ApiError):
    """No API key came with a request that needs one."""

    def __init__(self) -> None:
        message = "send an API key as 'Authorization: Bearer hk_…'; `heyan keys create --client NAME` makes one"
        super().__init__("key_missing", message, status=401)


class ForbiddenError(ApiError):
    """The API key is good, but not for this."""

    def __init__(self, scope: str) -> None:
        message = f"this API key lacks the scope {scope!r}; `heyan keys add CLIENT --scope {scope}` makes one"
        super().__init__("scope_missing", message, status=403)


class CredentialMissingError(ApiError):
    """No capture grant or session secret came with a request of a phone."""

    def __init__(self, what: str) -> None:
        super().__init__("credential_missing", f"send the {what} as 'Authorization: Bearer …'", status=401)


class ConsoleError(ApiError):
    """The operator console was asked for what it does not give."""

    def __init__(self, code: str, message: str, *, status: int) -> None:
        super().__init__(code, message, status=status)


class OverloadedError(ApiError):
    """Refused before any work was done; nothing was burnt."""

    def __init__(self, *, draining: bool = False, retry_after: float = 5.0) -> None:
        code = "draining" if draining else "overloaded"
        reason = "this replica is being stopped" if draining else "the service has as much work as it takes"
        super().__init__(code, f"{reason}; repeat in {retry_after:.0f} seconds", status=503, retry_after=retry_after)


class TooManyRequestsError(ApiError):
    """A client asks more often than the operator allows."""

    def __init__(self, *, retry_after: float) -> None:
        message = f"more requests than allowed; repeat in {retry_after:.0f} seconds"
        super().__init__("too_many_requests", message, status=429, retry_after=retry_after)


class IdempotencyPendingError(ApiError):
    """The first request with the same `Idempotency-Key` still runs."""

    def __init__(self, *, retry_after: float = 2.0) -> None:
        message = f"the first request with this Idempotency-Key still runs; repeat in {retry_after:.0f} seconds"
        super().__init__("idempotency_in_progress", message, status=409, retry_after=retry_after)


class PreconditionFailedError(ApiError):
    """The case is not (any more) as `If-Match` says."""

    def __init__(self) -> None:
        message = "the case has changed since it was read: read it again, then decide anew; nothing was changed"
        super().__init__("precondition_failed", message, status=412)


class ListeningError(ApiError):
    """The service cannot listen where it was told to."""

    def __init__(self, detail: str) -> None:
        message = f"cannot listen on {detail}; choose another with HEYAN_HOST and HEYAN_PORT"
        super().__init__("address_unusable", message, status=500)


class CertificateError(ApiError):
    """The service's own certificate authority cannot be used."""

    def __init__(self, certificate: Path, key: Path) -> None:
        message = (
            f"{certificate} and {key} are not, or no longer, a certificate and its key: restore both from your backup, "
            "or remove both for a new authority, which phones must then trust anew"
        )
        super().__init__("certificate_damaged", message, status=500)


class StreamError(ApiError):
    """The phone broke the capture protocol."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, status=400)
