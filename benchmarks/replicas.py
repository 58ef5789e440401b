"""Several processes of the service on one store, as an operator would run them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.service import CROWD, Service, running_service
from verify.embedded import EmbeddedValkey


@asynccontextmanager
async def store_in(folder: Path) -> AsyncIterator[EmbeddedValkey]:
    """A store that is started again when it dies."""
    embedded = EmbeddedValkey(folder / "store")
    await embedded.start(supervise=True)
    try:
        yield embedded
    finally:
        await embedded.close()


def replica(stack: AsyncExitStack, folder: Path, number: int, store_url: str) -> Service:
    """One more process of the service; all of a folder share store and keys.

    Raises:
        ServiceError: it did not start.
    """
    data_dir, keys = folder / f"replica-{number}", folder / "keys"
    data_dir.mkdir()
    keys.mkdir(exist_ok=True)
    (data_dir / "keys").symlink_to(keys)
    return stack.enter_context(running_service(data_dir, store_url=store_url, **CROWD))
