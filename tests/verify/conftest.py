import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from registry_office import ClockedStore, Office, open_office
from valkey_process import running_cluster

from verify.embedded import EmbeddedValkey
from verify.store_address import connect_to


@pytest.fixture(scope="session")
def valkey_url(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One store for all tests of this package, embedded or (`--store cluster`) three; each test has its prefix."""
    if pytestconfig.getoption("store") == "cluster":
        with running_cluster(tmp_path_factory.mktemp("cluster")) as url:
            yield url
        return
    embedded = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(embedded.start(supervise=False))
    yield embedded.url
    asyncio.run(embedded.close())


@pytest.fixture
async def clocked_store(valkey_url: str) -> AsyncIterator[ClockedStore]:
    async with ClockedStore(connect_to(valkey_url), prefix=f"test-{secrets.token_hex(6)}") as store:
        yield store


@pytest.fixture
async def office(clocked_store: ClockedStore, tmp_path: Path) -> Office:
    return await open_office(clocked_store, tmp_path)
