"""A running service for tests: real HTTP and WebSocket on loopback, in the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import uvicorn

from api.app import create_app
from api.composition import Services, open_services
from api.serve import bound, listening, server_config
from api.settings import Settings
from api.traces import Traces
from benchmarks.registration import Registrant, Registration
from models.engine import Engine


@dataclass(frozen=True, slots=True)
class RunningApi:
    """A service that listens, a client of it, and what is behind it."""

    http: httpx.AsyncClient
    services: Services

    @property
    def desk(self) -> Registration:
        return Registration(self.http)

    @property
    def websocket_base(self) -> str:
        return str(self.http.base_url).replace("http", "ws", 1).rstrip("/")


@asynccontextmanager
async def running_api(
    settings: Settings, engine: Engine, *, public_url: str | None = None, traces: Traces | None = None
) -> AsyncIterator[RunningApi]:
    with bound(settings) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with open_services(settings, public_url=public_url or url, engine=engine, traces=traces) as services:
            config = server_config(create_app(services), listening(settings, port=0), settings)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server._serve(sockets=[listener]))  # without taking over the signals
            _, key = await services.clients.create("window 1", mode="live", scopes=("cases", "compare"))
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
                yield RunningApi(http, services)
            server.should_exit = True
            await serving


def registrant(photo: bytes, *, role: str = "shareholder", id_number: str = "E12345678") -> Registrant:
    return Registrant(name="张三丰", role=role, id_number=id_number, photo=photo)
