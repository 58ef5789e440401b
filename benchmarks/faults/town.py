"""A store and replicas of the service, each reached and hurt by itself."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.faults.link import Link, linked
from benchmarks.service import HEYAN, Service, running_service
from benchmarks.store_servers import made, running_under_sentinels
from verify.clients import DEFAULT_SCOPES, Clients
from verify.embedded import EmbeddedValkey
from verify.store import Store
from verify.store_address import connect_to


@dataclass(slots=True)
class Replica:
    """One process of the service; it can be killed and started again."""

    folder: Path
    settings: Mapping[str, str]
    """How it reaches the store."""
    _link: Link | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _service: Service | None = None

    @property
    def url(self) -> str | None:
        """Where it answers; None while it is not there."""
        return None if self._service is None else self._service.url

    @property
    def link(self) -> Link:
        """What lies between it and the store. Raises LookupError under sentinels, who name the store's own address."""
        if self._link is None:
            raise LookupError("nothing lies between this replica and the store")
        return self._link

    @property
    def process(self) -> psutil.Process:
        """Raises LookupError while it is not there."""
        if self._service is None:
            raise LookupError("this replica is not running")
        return psutil.Process(self._service.process.pid)

    async def start(self, program: Sequence[str | Path] = (HEYAN,)) -> None:
        """Raises ServiceError if it does not start; it is not there then."""
        running = running_service(self.folder, program=program, **self.settings)
        self._service = await asyncio.to_thread(self._stack.enter_context, running)

    async def kill(self) -> None:
        """SIGKILL: it cannot say goodbye."""
        self.process.kill()
        await self.stop()

    async def stop(self) -> None:
        """In peace, if it still lives."""
        self._service = None
        await asyncio.to_thread(self._stack.close)


@dataclass(slots=True)
class Town:
    """All of it. `store` speaks to the store directly, past every link."""

    folder: Path
    store: Store
    replicas: tuple[Replica, ...]
    api_key: str
    """Of a client in test mode."""
    live_key: str
    _embedded: EmbeddedValkey | None = None

    @property
    def embedded(self) -> EmbeddedValkey:
        """The store. Raises LookupError under sentinels."""
        if self._embedded is None:
            raise LookupError("the store of this town is not embedded")
        return self._embedded

    async def store_process(self) -> psutil.Process:
        """The store's process; under sentinels that of the primary. Raises StoreUnavailable while there is none."""
        return psutil.Process(await self.store.process_id())

    async def restore(self, backup: Path) -> None:
        """Stop the store, put a backup in place of its data, start it. Replicas are to be stopped."""
        await self.embedded.close()
        for path in self.embedded.folder.iterdir():
            if (backup / path.name).exists():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        await asyncio.to_thread(shutil.copytree, backup, self.embedded.folder, dirs_exist_ok=True)
        await self.embedded.start(supervise=True)


@asynccontextmanager
async def town(folder: Path, *, replicas: int) -> AsyncIterator[Town]:
    """Start everything on an embedded store, with a link for each replica; stop what is left of it at the end.

    Raises:
        ServiceError: a replica did not start.
    """
    embedded = EmbeddedValkey(folder / "store")
    await embedded.start(supervise=True)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(embedded.close)
        found = list[Replica]()
        for number in range(replicas):
            link = await stack.enter_async_context(linked(folder / f"{number}.sock", embedded.socket))
            found.append(Replica(_home(folder, number), {"store_url": link.url}, link))
        store = await stack.enter_async_context(Store(connect_to(embedded.url)))
        yield await stack.enter_async_context(_inhabited(folder, store, found, embedded))


@asynccontextmanager
async def watched_town(folder: Path, *, replicas: int) -> AsyncIterator[Town]:
    """As `town`, on a primary with two replicas of its own under three sentinels; one of the two must confirm.

    Raises:
        ServiceError: a replica of the service did not start.
    """
    with ExitStack() as servers:
        running = running_under_sentinels(made(folder / "store"), min_replicas_to_write="1")
        watched = await asyncio.to_thread(servers.enter_context, running)
        settings = {"store_url": watched.url, "durable_replicas": "1"}
        found = [Replica(_home(folder, number), settings) for number in range(replicas)]
        async with (
            Store(connect_to(watched.url, durable_replicas=1)) as store,
            _inhabited(folder, store, found) as place,
        ):
            yield place


@asynccontextmanager
async def _inhabited(
    folder: Path, store: Store, replicas: Sequence[Replica], embedded: EmbeddedValkey | None = None
) -> AsyncIterator[Town]:
    """The replicas run, and there is a client of either mode."""
    clients = Clients(store, secrets.token_bytes)
    _, api_key = await clients.create("faults", mode="test", scopes=(*DEFAULT_SCOPES, "compare"))
    _, live_key = await clients.create("live faults", mode="live")
    async with AsyncExitStack() as stack:
        for each in replicas:
            stack.push_async_callback(each.stop)
        await replicas[0].start()  # alone: it makes the keys that all share
        await asyncio.gather(*(each.start() for each in replicas[1:]))
        yield Town(folder, store, tuple(replicas), api_key, live_key, embedded)


def _home(folder: Path, number: int) -> Path:
    """A replica's data directory; all share keys."""
    home, keys = folder / f"replica-{number}", folder / "keys"
    home.mkdir()
    keys.mkdir(exist_ok=True)
    (home / "keys").symlink_to(keys)
    return home
