import asyncio
import secrets

import pytest
from registry_office import Office

from verify.connection import Connection, Script
from verify.errors import Invalid, NotFound, Refused
from verify.operators import Operators


async def test_a_key_finds_its_client(office: Office) -> None:
    assert await office.clients.authenticate(office.api_key) == office.client


@pytest.mark.parametrize("key", ["", "hk_live_", "hk_live_x", "张"])
async def test_another_key_finds_nobody(office: Office, key: str) -> None:
    with pytest.raises(Refused, match="API key"):
        await office.clients.authenticate(key)


async def test_a_revoked_key_finds_nobody(office: Office) -> None:
    await office.clients.revoke(office.client.id)
    with pytest.raises(Refused):
        await office.clients.authenticate(office.api_key)
    assert [client.revoked for client in await office.clients.list()] == [True]


async def test_the_key_itself_is_not_kept(office: Office) -> None:
    assert office.api_key not in str(await office.store.records("keys"))


async def test_revoking_nobody_is_refused(office: Office) -> None:
    with pytest.raises(NotFound) as caught:
        await office.clients.revoke("cli_x")
    assert caught.value.code == "key_unknown"


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "<b>"])
async def test_a_name_is_short_and_plain(office: Office, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        await office.clients.create(name, mode="live")
    assert caught.value.code == "client_name_invalid"


async def test_an_unknown_scope_is_refused(office: Office) -> None:
    with pytest.raises(Invalid) as caught:
        await office.clients.create("x", mode="live", scopes=("everything",))
    assert caught.value.code == "scope_unknown"


async def test_the_mode_is_in_the_key(office: Office) -> None:
    _, key = await office.clients.create("x", mode="test")
    assert key.startswith("hk_test_")


async def test_revoking_is_on_disk_before_it_is_answered(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was revoked must not come back when the store fails over."""
    officer, _ = await office.officers.add("window 2", mode="live")
    operators = Operators(office.store, secrets.token_bytes)
    operator, _ = await operators.create("somebody", role="viewer")
    waited = list[bool]()
    run = Connection.run

    async def noting(self: Connection, script: Script, *arguments: object, durable: bool, **others: object) -> str:
        waited.append(durable)
        return await run(self, script, *arguments, durable=durable, **others)

    monkeypatch.setattr(Connection, "run", noting)
    await office.clients.revoke(office.client.id)
    await office.officers.revoke(officer.id)
    await operators.revoke(operator.id)
    assert waited == [True] * 3


async def test_a_change_beside_a_revocation_does_not_undo_it(office: Office) -> None:
    """Two commands that read the same record: the one that writes later decides on what the other has written."""
    await asyncio.gather(
        office.clients.let_return_to(office.client.id, ["https://registry.example"]),
        office.clients.revoke(office.client.id),
        office.clients.let_return_to(office.client.id, ["https://other.example"]),
    )
    (client,) = await office.clients.list()
    assert client.revoked
    assert client.return_origins in {("https://registry.example",), ("https://other.example",)}
