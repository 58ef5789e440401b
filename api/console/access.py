"""Who looks at the console: session cookie, language, the token of forms, and what a role may do.

The session's secret is in a cookie that no script reads and no other site sends; forms carry a token that follows from
it. Before anybody is signed in a second cookie, drawn for the sign-in form, stands in its place.
"""

import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from api.composition import Services
from api.console.pages import render
from api.dependencies import ServicesNow, services_of
from api.errors import ConsoleError
from api.problems import problem_of
from verify.operators import SESSION_SECONDS, ConsoleSession, Operator

SESSION_COOKIE = "heyan_ops"
FORM_COOKIE = "heyan_ops_form"
LANGUAGE_COOKIE = "heyan_ops_language"
LANGUAGE_SECONDS = 365 * 86400
FORM_BYTES = 4096
FORM_TYPE = "application/x-www-form-urlencoded"

ConsoleLanguage = Literal["zh", "en"]

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""Files and requests of this service alone; nothing inline."""


class SignInNeededError(Exception):
    """Nobody is signed in, or not any more: `ConsoleRoute` leads to the form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """One request to the console. `secret`: what the token of its forms follows from."""

    services: Services
    request: Request
    root: str
    """Path of the console, without a slash at the end."""
    language: ConsoleLanguage
    secret: str
    session: ConsoleSession | None

    @property
    def operator(self) -> Operator:
        """Who is signed in. Raises SignInNeededError."""
        if self.session is None:
            raise SignInNeededError
        return self.session.operator

    def page(self, name: str, *, status: int = 200, **content: Any) -> HTMLResponse:
        """A page of the console. It is told who is asking; `content` is what it shows."""
        known = {
            "root": self.root,
            "files": f"{self.root.removesuffix('/ops')}/web",
            "version": self.request.app.version,
            "operator": self.session and self.session.operator,
            "form_token": form_token(self.secret),
            "here": self.request.url.path.removeprefix("/ops"),
            "other_language": _other_language(self),
        }
        html = render(name, language=self.language, **known, **content)
        answer = HTMLResponse(html, status, {"content-security-policy": CONTENT_POLICY})
        if self.request.query_params.get("lang") == self.language:
            self.set_cookie(answer, LANGUAGE_COOKIE, self.language, seconds=LANGUAGE_SECONDS)
        return answer

    def set_cookie(self, answer: Response, name: str, value: str, *, seconds: int) -> None:
        """A cookie for the console alone: no script reads it, no other site's request carries it."""
        answer.set_cookie(
            name, value, max_age=seconds, path=self.root, httponly=True, samesite="strict", secure=self._secure
        )

    @property
    def _secure(self) -> bool:
        return self.services.public_url.startswith("https://")


async def visitor(request: Request, services: ServicesNow) -> Visitor:
    """Whoever asks, signed in or not."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    session = await services.operators.session(secret) if secret else None
    form_secret = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(32)
    found = _visitor(request, services, secret if session else form_secret, session)
    request.state.visitor = found
    return found


def signed_in(found: Annotated[Visitor, Depends(visitor)]) -> Visitor:
    """An operator of any role. Raises SignInNeededError."""
    if found.session is None:
        raise SignInNeededError
    return found


def auditing(found: Annotated[Visitor, Depends(signed_in)]) -> Visitor:
    """An operator with the role of an auditor. Raises ConsoleError `role_missing`."""
    if found.operator.role != "auditor":
        message = "this needs the role auditor: `heyan operators create NAME --role auditor` makes a key with it"
        raise ConsoleError("role_missing", message, status=403)
    return found


Anybody = Annotated[Visitor, Depends(visitor)]
SignedIn = Annotated[Visitor, Depends(signed_in)]
Auditing = Annotated[Visitor, Depends(auditing)]


async def form_of(who: Visitor) -> Mapping[str, str]:
    """The fields of a form that this very visitor was given.

    Raises:
        ConsoleError: `form_refused` for one that was not, or is too old, too long or no form.
    """
    request = who.request
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    body = await request.body() if kind == FORM_TYPE else b""
    if len(body) > FORM_BYTES:
        raise _form_refused()
    try:
        fields = {name: values[0] for name, values in parse_qs(body.decode("ascii"), max_num_fields=10).items()}
    except ValueError:
        raise _form_refused() from None
    if not compare_digest(fields.get("form_token", "").encode(), form_token(who.secret).encode()):
        raise _form_refused()
    return fields


def form_token(secret: str) -> str:
    """The token of forms that follows from a secret, and does not give it away."""
    return sha256(f"form:{secret}".encode()).hexdigest()


def begin_session(who: Visitor, secret: str) -> Response:
    """The answer to a good key: the session's cookie, and the way to the first page."""
    answer = RedirectResponse(who.root, 303)
    who.set_cookie(answer, SESSION_COOKIE, secret, seconds=SESSION_SECONDS)
    answer.delete_cookie(FORM_COOKIE, path=who.root)
    return answer


def end_session(who: Visitor) -> Response:
    """The answer to signing out."""
    answer = RedirectResponse(f"{who.root}/sign-in", 303)
    answer.delete_cookie(SESSION_COOKIE, path=who.root)
    return answer


def language_of(request: Request) -> ConsoleLanguage:
    """What the link says, then the cookie, then the browser; Chinese if none of them says English."""
    told = (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE))
    accepted = request.headers.get("accept-language", "").lower()
    first = next((each for each in told if each in {"zh", "en"}), None) or accepted[:2]
    return "en" if first == "en" else "zh"


class ConsoleRoute(APIRoute):
    """A route of the console: whatever goes wrong is a page, and who is not signed in is led to the form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint's handler, explained."""
        handle = super().get_route_handler()

        async def explained(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInNeededError:
                return RedirectResponse(f"{request.state.visitor.root}/sign-in", 303)
            except Exception as error:
                return _problem_page(request, error)

        return explained


def _problem_page(request: Request, error: Exception) -> Response:
    problem, services = problem_of(error), services_of(request)
    services.metrics.problems.labels(code=problem.code).inc()
    request.state.problem_code = problem.code
    who: Visitor = getattr(request.state, "visitor", None) or _visitor(request, services, "", None)
    answer = who.page("problem.html", status=problem.status, problem=problem)
    if problem.retry_after is not None:
        answer.headers["retry-after"] = str(max(1, round(problem.retry_after)))
    return answer


def _visitor(request: Request, services: Services, secret: str, session: ConsoleSession | None) -> Visitor:
    root = f"{urlsplit(services.public_url).path}/ops"
    return Visitor(
        services=services,
        request=request,
        root=root,
        language=language_of(request),
        secret=secret,
        session=session,
    )


def _other_language(who: Visitor) -> str:
    """Query that leads to the same page in the other language."""
    other = "zh" if who.language == "en" else "en"
    return who.request.url.include_query_params(lang=other).query


def _form_refused() -> ConsoleError:
    message = "this form was not made for this session, or is too old: go back, load the page again, and repeat"
    return ConsoleError("form_refused", message, status=403)
