"""The key that the first start leaves in a file, and what a later start makes of it."""

import secrets
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from registry_office import ClockedStore

from api.first_client import ensure_first_client
from verify.clients import Clients
from verify.connection import connect


@pytest.fixture
async def clients(api_store_url: str) -> AsyncIterator[Clients]:
    async with ClockedStore(connect(api_store_url), prefix=f"test-{secrets.token_hex(6)}") as store:
        yield Clients(store, secrets.token_bytes)


async def test_the_first_start_leaves_a_key_that_works(clients: Clients, tmp_path: Path) -> None:
    file = tmp_path / "default-client.key"
    await ensure_first_client(clients, file)
    secret = file.read_text("ascii").strip()
    assert (await clients.authenticate(secret)).name == "default"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await ensure_first_client(clients, file)
    assert file.read_text("ascii").strip() == secret


async def test_a_revoked_key_is_followed_by_another_of_the_same_client(clients: Clients, tmp_path: Path) -> None:
    file = tmp_path / "default-client.key"
    await ensure_first_client(clients, file)
    first = await clients.authenticate(file.read_text("ascii").strip())
    await clients.revoke(first.id)
    await ensure_first_client(clients, file)
    second = await clients.authenticate(file.read_text("ascii").strip())
    assert second.id == first.id


async def test_a_key_that_the_store_never_knew_is_replaced(clients: Clients, tmp_path: Path) -> None:
    file = tmp_path / "default-client.key"
    file.write_text("hk_live_of-another-store\n", "ascii")
    await ensure_first_client(clients, file)
    assert (await clients.authenticate(file.read_text("ascii").strip())).name == "default"
