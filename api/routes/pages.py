"""Pages for people, and the files that they need."""

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from api.composition import Services
from api.dependencies import ServicesNow
from api.pages import capture_policy, home_page, preferred_language
from api.reference_page import STYLE, reference_page

router = APIRouter(include_in_schema=False)

WEB = Path(__file__).parents[1] / "web"
"""The capture page as it is served: no build step."""


@router.get("/")
async def capture(request: Request, services: ServicesNow) -> FileResponse:
    """The page that an invite's link opens. The code is in the fragment: it never gets here."""
    return _page("index.html", request, services)


@router.get("/report")
async def report(request: Request, services: ServicesNow) -> FileResponse:
    """The page that the link in a notice opens, where a person can say "this was not me"."""
    return _page("report.html", request, services)


@router.get("/about")
async def home(request: Request) -> HTMLResponse:
    """What is running here."""
    return HTMLResponse(home_page(version=request.app.version, authority=request.app.state.settings.tls))


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The API reference."""
    return HTMLResponse(reference_page(request.app.openapi()))


@router.get("/style.css")
async def style() -> Response:
    """The style of the pages, in a file of its own so that no page needs inline style."""
    return Response(STYLE, media_type="text/css")


@router.get("/ca.crt")
async def certificate_authority(request: Request) -> FileResponse:
    """The local certificate authority, when the service runs with TLS of its own."""
    settings = request.app.state.settings
    if not settings.tls:
        raise HTTPException(404)
    return FileResponse(settings.data_dir / "tls" / "ca.pem", media_type="application/x-x509-ca-cert")


def _page(name: str, request: Request, services: Services) -> FileResponse:
    """A page of files, with the words in the browser's language on their way before a script asks for them."""
    words = f"<web/words.{preferred_language(request.headers.get('accept-language', ''))}.json>"
    headers = {
        "content-security-policy": capture_policy(services.public_url),
        "link": f"{words}; rel=preload; as=fetch; crossorigin",
    }
    return FileResponse(WEB / name, headers=headers)
