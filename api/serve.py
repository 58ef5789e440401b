"""Running the service: addresses, TLS, and a stop that lets live sessions end first."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from types import FrameType

import uvicorn
import uvloop
from fastapi import FastAPI

from api.allocator import give_memory_back
from api.app import create_app
from api.certificates import ServerCertificate, local_names, server_certificate
from api.composition import open_services
from api.connections import bounded_http
from api.delivery import delivering
from api.errors import ListeningError
from api.live_sessions import LiveSessions
from api.metrics import Metrics
from api.public_address import THIS_MACHINE, for_local_network, public_address
from api.settings import Settings

WEBSOCKET_BYTES = 8 * 1024 * 1024
"""Largest WebSocket message that is read at all; a frame above its own, smaller limit still gets a problem to read."""

TICK_SECONDS = 0.1
"""Between uvicorn's ticks."""

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - only with --tls, which is for phones on the local network


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where the service can be reached, and with which certificate."""

    url: str
    certificate: ServerCertificate | None


class DrainingServer(uvicorn.Server):
    """On the first signal new sessions are refused and the live ones awaited; a second signal stops at once."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        live: LiveSessions,
        metrics: Metrics,
        drain_seconds: float,
        announce: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._live = live
        self._metrics = metrics
        self._ticked_at: float | None = None
        self._drain_seconds = drain_seconds
        self._drain_until: float | None = None
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where to go only when somebody who goes there is served."""
        await super().startup(sockets=sockets)
        self._announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """First signal: begin to drain. Second: stop now."""
        if self._drain_until is None:
            self._live.admission.draining = True
            self._drain_until = monotonic() + self._drain_seconds
            return
        self.should_exit = True
        self.force_exit = sig == signal.SIGINT

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second by uvicorn: stop once nothing lives any more, or the time is up.

        How much later than that it is called says how long the event loop was held by something else.
        """
        now, before = monotonic(), self._ticked_at
        if before is not None:
            self._metrics.took("loop_lag", max(0.0, now - before - TICK_SECONDS))
        self._ticked_at = now
        if self._drain_until is not None and self._drained():
            self.should_exit = True
        return await super().on_tick(counter)

    def _drained(self) -> bool:
        return self._live.admission.taken == 0 or monotonic() > (self._drain_until or 0.0)


def run(settings: Settings, *, announce: Callable[[Listening], None]) -> None:
    """Serve until a signal ends it. `announce` is called once requests are answered.

    Raises:
        models.errors.ModelError, verify.policy.PolicyError, verify.errors.Unavailable: see `open_services`.
        ListeningError: nobody can listen on that address.
        SettingsError: `setting_invalid`, nobody can say where links are to lead.
    """
    give_memory_back()
    with bound(settings) as listener:
        where = listening(settings, port=listener.getsockname()[1])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, listener, where, announce=announce))


async def serve(
    settings: Settings, listener: socket.socket, where: Listening, *, announce: Callable[[Listening], None]
) -> None:
    """Open the services, serve on a bound socket until a signal ends it, and close them."""
    async with open_services(settings, public_url=where.url) as services:
        server = DrainingServer(
            server_config(create_app(services), where, settings),
            live=services.live,
            metrics=services.metrics,
            drain_seconds=settings.drain_seconds,
            announce=lambda: announce(where),
        )
        leave_alone_what_stays()
        async with delivering(services.delivery_worker), delivering(services.message_worker):
            await server.serve(sockets=[listener])


def leave_alone_what_stays() -> None:
    """Take what was loaded by now, modules and models, out of the garbage collector's rounds.

    It is never garbage, and to go through it all held everybody up for 80 ms now and then.
    """
    gc.collect()
    gc.freeze()


def bound(settings: Settings) -> socket.socket:
    """A socket on the address of the settings; port 0 takes one that is free.

    Raises:
        ListeningError: `address_unusable`.
    """
    host = ANY_ADDRESS if settings.tls and settings.host in THIS_MACHINE else settings.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, settings.port), family=family)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ListeningError(f"{host} port {settings.port}: {reason}") from None


def listening(settings: Settings, *, port: int) -> Listening:
    """Public address and certificate of a service on this port. Raises SettingsError as `public_address`."""
    url = public_address(settings, port=port)
    if not settings.tls:
        return Listening(url=url, certificate=None)
    names = local_names() if for_local_network(settings) else (settings.host, *local_names())
    certificate = server_certificate(folder=settings.data_dir / "tls", names=names, now=datetime.now(UTC))
    return Listening(url=url, certificate=certificate)


def server_config(app: FastAPI, where: Listening, settings: Settings) -> uvicorn.Config:
    """What uvicorn is told."""
    certificate = where.certificate
    return uvicorn.Config(
        app,
        http=bounded_http(most_per_address=settings.connections_per_address, trusted=settings.proxies),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies or "",
        ws_max_size=WEBSOCKET_BYTES,
        ws_per_message_deflate=False,  # pictures are compressed already: it would cost the event loop and the phone
        ssl_certfile=certificate.certificate if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
        timeout_graceful_shutdown=5,
        lifespan="off",
    )
