"""A reverse proxy for tests that serves a service below a path, as one that is shared by several services does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class PrefixProxy:
    """Takes `prefix` off the paths and passes everything on to loopback, WebSockets too; other paths are refused."""

    prefix: str
    port: int = 0
    target: int = 0
    serving: set["asyncio.Task[None] | None"] = field(default_factory=set)
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is cleared nothing is passed on and nothing closed: a network that has died without a word."""

    def __post_init__(self) -> None:
        self.flowing.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._pass_on(reader, writer)
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.flowing.wait()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, rest = head.split(" ", 2)
        if not path.startswith(f"{self.prefix}/"):
            writer.write(b"HTTP/1.1 404 -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        if "\r\nupgrade: websocket" not in rest.lower():  # one request a connection, so that each path is seen
            kept = [line for line in rest.split("\r\n") if not line.lower().startswith("connection:")]
            rest = "\r\n".join([*kept[:-2], "connection: close", "", ""])
        inner_reader, inner = await asyncio.open_connection("127.0.0.1", self.target)
        inner.write(f"{method} {path.removeprefix(self.prefix)} {rest}".encode("latin-1"))
        to_service = asyncio.create_task(self._pipe(reader, inner))
        await self._pipe(inner_reader, writer)
        to_service.cancel()
        inner.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                await self.flowing.wait()
                writer.write(piece)
                await writer.drain()


@asynccontextmanager
async def proxying(prefix: str) -> AsyncIterator[PrefixProxy]:
    """Listens already; `target`, the service's port, is to be set before the first request."""
    proxy = PrefixProxy(prefix)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy
        server.close()
        for task in proxy.serving:
            if task is not None:
                task.cancel()
        await asyncio.gather(*filter(None, proxy.serving), return_exceptions=True)
