"""Errors as problem documents (RFC 9457), each with a stable short `code`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from re import fullmatch
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from structlog.stdlib import get_logger

from api.errors import ApiError
from api.frames import FrameError
from models.errors import FaceError, ImageError, ModelsError
from verify import errors as verify

MEDIA_TYPE = "application/problem+json"

INTERNAL = "internal_error"

FAMILIES: tuple[tuple[type[Exception], int], ...] = (
    (verify.NotFound, 404),
    (verify.Invalid, 422),
    (verify.Refused, 403),
    (verify.Conflict, 409),
    (verify.Gone, 410),
    (verify.Limited, 429),
    (verify.Unavailable, 503),
    (FrameError, 422),
    (ImageError, 422),
    (FaceError, 422),
    (ModelsError, 503),
)
"""HTTP status by family; the first that fits counts. A model that cannot run is the service's fault."""

BAD_CREDENTIALS = frozenset({"api_key_invalid", "operator_key_invalid", "session_secret_invalid", "grant_invalid"})
"""Refusals that say who the caller is not: 401 (RFC 9110, section 15.5.2) in place of 403."""

HTTP_CODES = {
    400: "request_malformed",
    401: "key_missing",
    404: "not_found",
    405: "method_not_allowed",
    415: "media_type_unsupported",
}
"""Codes of what the HTTP layer itself refuses."""

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

IN_JSON = {
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
}
"""What pydantic says in terms of Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One refused request."""

    code: str
    status: int
    detail: str
    retry_after: float | None = None
    members: dict[str, Any] = field(default_factory=dict)
    """Further members of the document, such as `fields` or `receipt_id`."""

    def document(self) -> dict[str, Any]:
        """The members of RFC 9457, and ours. `type` is `about:blank`: title and status are HTTP's; `code` says more."""
        title = HTTPStatus(self.status).phrase
        known = {"type": "about:blank", "title": title, "status": self.status}
        return {**known, "code": self.code, "detail": self.detail, **self.members}


def problem_of(error: Exception) -> Problem:
    """The problem that an exception stands for; of one that nobody expected only that it happened."""
    if isinstance(error, HTTPException) and isinstance(error.__cause__, ApiError):
        return problem_of(error.__cause__)  # FastAPI wraps what is raised while it reads a body
    match error:
        case ApiError():
            return Problem(code=error.code, status=error.status, detail=str(error), retry_after=error.retry_after)
        case RequestValidationError():
            return _invalid_request(error.errors())
        case HTTPException():
            return Problem(code=_http_code(error.status_code), status=error.status_code, detail=_http_detail(error))
    status = next((status for family, status in FAMILIES if isinstance(error, family)), None)
    return _unexpected(error) if status is None else _family_problem(error, status)


def problem_response(problem: Problem) -> JSONResponse:
    """The answer that carries a problem document."""
    headers = {} if problem.retry_after is None else {"retry-after": str(max(1, ceil(problem.retry_after)))}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(problem.document(), problem.status, headers, MEDIA_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Turn every exception of the application into a problem document."""
    for kind in (
        ApiError,
        FrameError,
        RequestValidationError,
        HTTPException,
        verify.VerifyError,
        ModelsError,
        Exception,
    ):
        app.add_exception_handler(kind, answer_problem)


async def answer_problem(request: Request, error: Exception) -> JSONResponse:
    """Answer an exception with its problem document, count it, and let the log's line name it."""
    problem = problem_of(error)
    request.app.state.metrics.problems.labels(code=problem.code).inc()
    request.state.problem_code = problem.code
    response = problem_response(problem)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    """The methods that this path takes (RFC 9110, 15.5.6); of files, which are mounted, those that read."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]

    def takes(method: str) -> bool:
        return any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)

    return [method for method in METHODS if takes(method)] or ["GET", "HEAD"]


def _unexpected(error: Exception) -> Problem:
    get_logger("heyan").error("request_failed", exc_info=error)
    detail = "the service failed; nothing was issued, and its log names the place under this request id"
    return Problem(code=INTERNAL, status=HTTPStatus.INTERNAL_SERVER_ERROR, detail=detail)


def _family_problem(error: Exception, status: int) -> Problem:
    code, retry_after = getattr(error, "code", INTERNAL), getattr(error, "retry_after", None)
    status = HTTPStatus.UNAUTHORIZED if code in BAD_CREDENTIALS else status
    return Problem(code=code, status=status, detail=str(error), retry_after=retry_after, members=_members(error))


def _members(error: Exception) -> dict[str, Any]:
    members = {name: getattr(error, name, None) for name in ("fields", "receipt_id", "receipt_ids")}
    return {name: value for name, value in members.items() if value}


def _invalid_request(problems: Sequence[Any]) -> Problem:
    """Name the fields and what is wrong with them; never quote what was sent: it may be a photo or a name."""
    if any(problem["type"] == "json_invalid" for problem in problems):
        return Problem(code="request_malformed", status=400, detail="the body is not valid JSON")
    fields = [
        {"field": _place(problem["loc"]), "problem": _said(problem)}
        for problem in problems
        if not _follows(problem, problems)
    ]
    named = "; ".join(f"{field['field']}: {field['problem']}" for field in fields)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return Problem(code="request_invalid", status=status, detail=named, members={"fields": fields})


def _follows(problem: Any, problems: Sequence[Any]) -> bool:
    """Whether a list is too short only because entries of it are wrong."""
    place = tuple(problem["loc"])
    inside = (other["loc"] for other in problems if len(other["loc"]) > len(place))
    return problem["type"] == "too_short" and any(tuple(other[: len(place)]) == place for other in inside)


def _place(location: Sequence[str | int]) -> str:
    """`subjects.0.name` for a field of the body, `query.limit` and the like for others.

    What the schemas call the parts of a union stands in parentheses, and pydantic's mark of a key in brackets.
    """
    parts = [str(part) for part in location if not fullmatch(r"\(\w*\)|\[key\]", str(part))]
    return ".".join(parts[1:] if parts[:1] == ["body"] and len(parts) > 1 else parts)


def _said(problem: Any) -> str:
    """What is wrong, in the words of JSON: a client knows none of our types."""
    said: str = problem["msg"]
    return IN_JSON.get(problem["type"]) or said.removeprefix("Value error, ").replace("Tuple ", "List ")


def _http_code(status: int) -> str:
    return HTTP_CODES.get(status, "request_refused")


def _http_detail(error: HTTPException) -> str:
    details = {
        404: "there is nothing under this path; /docs lists every endpoint",
        405: "this path takes other methods; see /docs",
    }
    return details.get(error.status_code, str(error.detail))
