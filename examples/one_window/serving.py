"""The window's composition root: key, files, threads and server."""

import ssl
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server, socket
from types import FrameType

import httpx
import uvicorn

from examples.client import Heyan
from examples.one_window.app import create_app
from examples.one_window.desk import Desk, test_mode
from examples.one_window.following import Follower, Watchers
from examples.one_window.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a window runs on. `authority`: the certificate authority of a heyan that has one of its own."""

    heyan: str
    api_key: str = field(repr=False)
    authority: Path | None
    data: Path
    port: int


class AnnouncingServer(uvicorn.Server):
    """Says where to go once somebody who goes there is served, and tells when it is to end."""

    def __init__(self, config: uvicorn.Config, *, announce: Callable[[], None], ends: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce, self._ends = announce, ends

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets=sockets)
        self._announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: whatever lasts is told to end."""
        self._ends()
        super().handle_exit(sig, frame)


def serve_window(window: Window, *, announce: Callable[[str], None]) -> None:
    """Serve on loopback until a signal ends it. Port 0 takes one that is free.

    Raises:
        HeyanError, httpx.TransportError: heyan would not have us as a client. OSError: the port is taken.
    """
    window.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with create_server(("127.0.0.1", window.port)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with closing(Ledger(window.data / "ledger.sqlite")) as ledger, _heyan(window) as heyan:
            watchers = Watchers()
            desk = Desk(
                heyan=heyan,
                ledger=ledger,
                archive=window.data / "archive",
                own_url=url,
                test=test_mode(window.api_key),
                links_back=window.authority is None,  # a phone elsewhere does not reach our loopback address
                changed=watchers.changed,
            )
            desk.listen()
            app = create_app(desk, Follower(desk), watchers)
            config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
            AnnouncingServer(config, announce=lambda: announce(url), ends=watchers.close).run(sockets=[listener])


def _heyan(window: Window) -> Heyan:
    trusted = ssl.create_default_context(cafile=window.authority) if window.authority else True
    return Heyan(window.heyan, window.api_key, transport=httpx.HTTPTransport(verify=trusted))
