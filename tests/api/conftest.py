import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import randbelow

import pytest
from running_service import RunningApi, registrant, running_api

from api.settings import Settings
from benchmarks.registration import Filing
from models.engine import Engine
from verify.embedded import EmbeddedValkey


@pytest.fixture(scope="session")
def api_store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One store for all tests of this package; each test has clients of its own, and ids are random."""
    embedded = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(embedded.start(supervise=False))
    yield embedded.url
    asyncio.run(embedded.close())


@pytest.fixture(scope="session")
def shared_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Services that share a store share its keys: what one has signed the others must be able to check."""
    folder = tmp_path_factory.mktemp("keys")
    folder.chmod(0o700)
    return folder


@pytest.fixture
def shared_home(shared_keys: Path, tmp_path: Path) -> Path:
    """A data directory of a service on the store that all tests share."""
    (tmp_path / "keys").symlink_to(shared_keys)
    return tmp_path


@pytest.fixture
async def api(engine: Engine, api_store_url: str, shared_home: Path) -> AsyncIterator[RunningApi]:
    settings = Settings(data_dir=shared_home, port=0, store_url=api_store_url, workers=2, live_sessions=4)
    async with running_api(settings, engine) as running:
        yield running


@pytest.fixture
async def embedded_api(engine: Engine, tmp_path: Path) -> AsyncIterator[RunningApi]:
    """A service with a store of its own that a test may kill."""
    async with running_api(Settings(data_dir=tmp_path, port=0, workers=2), engine) as running:
        yield running


@pytest.fixture
async def filing(api: RunningApi, portraits: dict[str, bytes]) -> Filing:
    """A case with one subject, somebody else in each test: attempts are counted by person, also across cases."""
    return await api.desk.open(registrant(portraits["person_a_1"], id_number=f"E{randbelow(10**8):08d}"))
