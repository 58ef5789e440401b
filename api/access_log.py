"""One log line and two metrics a request: method, route template, status, time, and the code of a refusal. Never the
path, which may hold ids."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.stdlib import BoundLogger

from api.metrics import Metrics

UNROUTED = "unrouted"

QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/ops/live"})
"""Asked every few seconds by machines and open pages: counted, not logged."""


class AccessLog:
    """ASGI middleware, outside of the application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, log: BoundLogger) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._note(scope, status, perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNROUTED)
        method = scope["method"] if route != UNROUTED else UNROUTED
        self._metrics.requests.labels(method=method, route=route, status=str(status)).inc()
        self._metrics.request_seconds.labels(route=route).observe(seconds)
        if route not in QUIET:
            code = scope.get("state", {}).get("problem_code")
            refused = {} if code is None else {"code": code}
            took = round(seconds, 4)
            self._log.info("request", method=scope["method"], route=route, status=status, seconds=took, **refused)
