"""The window over HTTP: its pages, what they ask for, and where heyan sends its notices."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import segno
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from standardwebhooks import WebhookVerificationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from examples.client import HeyanError
from examples.one_window.bodies import (
    CompanyView,
    EstablishmentBody,
    FilingView,
    IncreaseBody,
    OverviewView,
    WayBackView,
    company_view,
    filing_view,
    way_back_view,
)
from examples.one_window.desk import HOOK, Desk, increase_of, signers
from examples.one_window.filings import Company, Filing
from examples.one_window.following import Follower, Watchers

WEB = Path(__file__).parent / "web"
LARGEST_NOTICE = 64 * 1024

PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


class Careful:
    """ASGI middleware: careful headers on every answer, and no request from another site's page changes anything."""

    def __init__(self, app: ASGIApp, *, own_url: str) -> None:
        self._app, self._own = app, own_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in PAGE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if request.headers.get("origin", self._own) != self._own:
            await _refusal("other_site", "this is for the window's own pages", 403)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def create_app(desk: Desk, follower: Follower, watchers: Watchers) -> FastAPI:
    """The window's pages around its desk; filings are followed while the app runs."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        with follower.running():
            yield

    app = FastAPI(
        title="one window",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=running,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[urlsplit(desk.own_url).hostname or ""]),
            Middleware(Careful, own_url=desk.own_url),
        ],
    )

    def shown(filing: Filing) -> FilingView:
        return filing_view(filing, test=desk.test)

    app.mount("/web", StaticFiles(directory=WEB))

    @app.exception_handler(LookupError)
    async def nothing_there(_: Request, __: Exception) -> Response:
        return _refusal("not_found", "there is no such filing or company", 404)

    @app.exception_handler(HeyanError)
    async def refused(_: Request, error: HeyanError) -> Response:
        return _refusal(error.code, error.detail, error.status if error.status < 500 else 502)  # noqa: PLR2004

    @app.exception_handler(httpx.TransportError)
    async def unreachable(_: Request, __: Exception) -> Response:
        return _refusal("unreachable", "heyan does not answer", 503)

    @app.exception_handler(RequestValidationError)
    async def unreadable(_: Request, error: RequestValidationError) -> Response:
        where = ", ".join(".".join(map(str, each["loc"][1:])) for each in error.errors())
        return _refusal("entry_invalid", where, 422)

    @app.get("/")
    @app.get("/new")
    @app.get("/filings/{_}")
    @app.get("/companies/{_}")
    @app.get("/companies/{_}/increase")
    @app.get("/back/{_}")
    def page() -> FileResponse:
        return FileResponse(WEB / "index.html")

    @app.get("/api/overview")
    def overview() -> OverviewView:
        filings = tuple(map(shown, desk.ledger.filings()))
        return OverviewView(test=desk.test, filings=filings, companies=tuple(map(_company, desk.ledger.companies())))

    @app.post("/api/filings", status_code=201)
    def establish(body: EstablishmentBody) -> FilingView:
        return shown(desk.file(body.wanted()))

    @app.get("/api/filings/{filing_id}")
    def filing(filing_id: str) -> FilingView:
        return shown(desk.ledger.filing(filing_id))

    @app.get("/api/filings/{filing_id}/events")
    async def events(filing_id: str) -> StreamingResponse:
        await run_in_threadpool(desk.ledger.filing, filing_id)

        async def told() -> AsyncIterator[str]:
            async for _ in watchers.changes(filing_id):
                known = await run_in_threadpool(desk.ledger.filing, filing_id)
                yield f"data: {shown(known).model_dump_json()}\n\n"

        return StreamingResponse(told(), media_type="text/event-stream")

    @app.post("/api/filings/{filing_id}/people/{place}/link", status_code=201)
    def link(filing_id: str, place: int) -> FilingView:
        return shown(desk.link(filing_id, place))

    @app.post("/api/filings/{filing_id}/people/{place}/simulate")
    def simulate(filing_id: str, place: int) -> FilingView:
        return shown(desk.simulate(filing_id, place))

    @app.get("/api/filings/{filing_id}/people/{place}/link.svg")
    def qr_code(filing_id: str, place: int) -> Response:
        address = desk.ledger.filing(filing_id).parties[place].link
        if address is None:
            raise HTTPException(404)
        drawing = BytesIO()
        segno.make_qr(address, error="m").save(drawing, kind="svg", border=3, light="#fff", xmldecl=False)
        return Response(drawing.getvalue(), media_type="image/svg+xml")

    @app.post("/api/filings/{filing_id}/withdraw")
    def withdraw(filing_id: str) -> FilingView:
        return shown(desk.withdraw(filing_id))

    @app.get("/api/companies/{company_id}")
    def company(company_id: str) -> CompanyView:
        return _company(desk.ledger.company(company_id))

    @app.post("/api/companies/{company_id}/increases", status_code=201, response_model=FilingView)
    def increase(company_id: str, body: IncreaseBody) -> Response | FilingView:
        known = desk.ledger.company(company_id)
        if Decimal(body.capital) <= Decimal(known.capital):
            return _refusal("capital_not_raised", known.capital, 422)
        missing = [each.name for each in signers(known) if each.id_number not in body.photos]
        if missing:
            return _refusal("photo_missing", ", ".join(missing), 422)
        photos = tuple(body.photos[each.id_number] for each in signers(known))
        return shown(desk.file(increase_of(known, capital=body.capital, photos=photos)))

    @app.get("/api/back/{way}")
    def way_back(way: str) -> WayBackView:
        return way_back_view(desk.ledger.filing_on_way(way))

    @app.post(HOOK, status_code=204)
    async def hook(request: Request) -> Response:
        body = await request.body()
        if len(body) > LARGEST_NOTICE:
            raise HTTPException(413)
        try:
            named = await run_in_threadpool(desk.notice, body, dict(request.headers))
        except WebhookVerificationError:
            return _refusal("signature_invalid", "this is no notice of heyan's", 401)
        if named is not None:
            follower.name(named)
        return Response(status_code=204)

    return app


def _company(company: Company) -> CompanyView:
    return company_view(company, signing=signers(company))


def _refusal(code: str, detail: str, status: int) -> JSONResponse:
    return JSONResponse({"code": code, "detail": detail}, status)
