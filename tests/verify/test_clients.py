import pytest
from registry_office import Office

from verify.errors import Invalid, NotFound, Refused


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
