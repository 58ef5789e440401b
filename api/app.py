"""The application: routes, middleware and problem documents around the services."""

from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from api.access_log import AccessLog
from api.body_limit import BodyLimit
from api.composition import Services
from api.problems import MEDIA_TYPE, install_problem_handlers
from api.request_headers import RequestHeaders
from api.routes import (
    actions,
    archive,
    cases,
    checkpoints,
    compare,
    console,
    deputies,
    disputes,
    events,
    health,
    invites,
    pages,
    receipts,
    sessions,
    simulation,
    stream,
    tokens,
    webhooks,
    window,
)
from api.schemas.problem import ProblemBody

DESCRIPTION = """Self-hosted remote identity verification: a live person, the ID photo, a one-time token.

A client opens a case with a roster, sends each person an invite, mints a token for each verification and redeems it
exactly once. Errors are RFC 9457 problem documents with a stable `code`. Times are RFC 3339 in UTC."""

ROUTERS = (
    tokens,
    actions,
    deputies,
    cases,
    events,
    disputes,
    invites,
    sessions,
    stream,
    receipts,
    window,
    archive,
    checkpoints,
    webhooks,
    simulation,
    compare,
    health,
    pages,
    console,
)
"""Asked in this order for each request, one after the other: what is redeemed and minted all day comes first."""


PROBLEM = {
    "description": "A problem document",
    "content": {MEDIA_TYPE: {"schema": ProblemBody.model_json_schema()}},
}


def create_app(services: Services) -> FastAPI:
    """The application around services that are open; whoever opened them closes them."""
    settings, metrics = services.settings, services.metrics
    app = FastAPI(
        title="heyan",
        version=version("heyan"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        responses={"default": PROBLEM},
        # An environment variable could switch it on, and it would send paths and texts of exceptions: see api.traces.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        middleware=[
            Middleware(RequestHeaders, traces=metrics.traces),
            Middleware(AccessLog, metrics=metrics, log=services.log),
            Middleware(BodyLimit, max_bytes=settings.max_body_bytes),
        ],
    )
    app.state.services, app.state.settings, app.state.metrics = services, settings, metrics
    install_problem_handlers(app)
    for module in ROUTERS:
        app.include_router(module.router)
    app.mount("/web", StaticFiles(directory=pages.WEB))
    metrics.traces.cover(app)
    return app
