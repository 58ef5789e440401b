"""The connection between one replica and the store: it can be cut, or made slow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

CHUNK = 65536


@dataclass(slots=True)
class Link:
    """Passes bytes between its own socket and the store's."""

    socket: Path
    store: Path
    delay_seconds: float = 0.0
    """Added to every chunk, each way."""
    down: bool = False
    """Nobody gets through. Set by `cut`."""
    _open: set[asyncio.StreamWriter] = field(default_factory=set, init=False)

    @property
    def url(self) -> str:
        """Where a replica finds the store."""
        return f"unix://{quote(str(self.socket))}"

    def cut(self) -> None:
        """Break every connection, and refuse new ones until `down` is false again."""
        self.down = True
        for writer in self._open:
            writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the replica."""
        if self.down:
            writer.transport.abort()
            return
        try:
            behind = await asyncio.open_unix_connection(str(self.store))
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, behind[1]}
        self._open |= ends
        try:
            await asyncio.gather(self._carry(reader, behind[1]), self._carry(behind[0], writer))
        finally:
            self._open -= ends

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while content := await reader.read(CHUNK):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(content)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def linked(socket: Path, store: Path) -> AsyncIterator[Link]:
    """A link that listens on `socket`."""
    link = Link(socket, store)
    server = await asyncio.start_unix_server(link.accept, str(socket))
    try:
        yield link
    finally:
        link.cut()
        server.close()
