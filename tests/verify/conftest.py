import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from registry_office import ClockedStore, Office, open_office

from verify.connection import connect
from verify.embedded import EmbeddedValkey


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One embedded server for all tests of this package; each test has a key prefix of its own."""
    embedded = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(embedded.start(supervise=False))
    yield embedded.url
    asyncio.run(embedded.close())


@pytest.fixture
async def clocked_store(valkey_url: str) -> AsyncIterator[ClockedStore]:
    async with ClockedStore(connect(valkey_url), prefix=f"test-{secrets.token_hex(6)}") as store:
        yield store


@pytest.fixture
async def office(clocked_store: ClockedStore, tmp_path: Path) -> Office:
    return await open_office(clocked_store, tmp_path)
