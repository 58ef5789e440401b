import asyncio
import secrets
from dataclasses import replace

import pytest
from registry_office import Office, restate

from verify.clients import key_id
from verify.connection import Connection, Script
from verify.errors import Invalid, NotFound, Refused
from verify.identifiers import hash_secret
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


async def test_a_further_key_reaches_what_the_first_has_made(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    _, secret = await office.clients.add_key(office.client.id)
    await office.clients.revoke(key_id(hash_secret(office.api_key)))
    caller = await office.clients.authenticate(secret)
    assert (await office.cases.get(caller, file.case.id)).file.case.id == file.case.id
    receipt = await office.redemptions.redeem(caller, token, restate(file, subject))
    assert await office.redemptions.receipt(caller, receipt.id) == receipt


async def test_keys_of_a_client_are_good_beside_each_other_and_revoked_one_by_one(office: Office) -> None:
    _, secret = await office.clients.add_key(office.client.id)
    callers = [await office.clients.authenticate(key) for key in (office.api_key, secret)]
    assert [caller.id for caller in callers] == [office.client.id] * 2
    (revoked,) = await office.clients.revoke(key_id(hash_secret(office.api_key)))
    assert (revoked.client.id, revoked.client.revoked) == (office.client.id, True)
    assert [client.revoked for client in await office.clients.list()] == [False]
    assert (await office.clients.authenticate(secret)).id == office.client.id
    with pytest.raises(Refused):
        await office.clients.authenticate(office.api_key)


async def test_revoking_a_client_revokes_all_of_its_keys_and_nobody_elses(office: Office) -> None:
    _, secret = await office.clients.add_key(office.client.id)
    _, others = await office.clients.create("window 2", mode="live")
    assert len(await office.clients.revoke(office.client.id)) == 2
    for key in (office.api_key, secret):
        with pytest.raises(Refused):
            await office.clients.authenticate(key)
    assert [client.revoked for client in await office.clients.list()] == [True, False]
    assert (await office.clients.authenticate(others)).name == "window 2"


async def test_a_key_that_is_added_while_its_client_is_revoked_is_revoked_or_comes_after(office: Office) -> None:
    (_, secret), revoked = await asyncio.gather(
        office.clients.add_key(office.client.id), office.clients.revoke(office.client.id)
    )
    known = {key.id: key.client.revoked for key in await office.clients.keys()}
    added = key_id(hash_secret(secret))
    assert known[added] is (added in {key.id for key in revoked})


async def test_a_client_whose_keys_are_all_revoked_gets_another(office: Office) -> None:
    """A key that was stolen is revoked before there is time to hand out the next one."""
    await office.clients.revoke(office.client.id)
    _, secret = await office.clients.add_key(office.client.id)
    assert (await office.clients.authenticate(secret)).id == office.client.id
    assert [client.revoked for client in await office.clients.list()] == [False]


async def test_a_further_key_is_like_the_newest_unless_it_says_otherwise(office: Office) -> None:
    client, _ = await office.clients.create("x", mode="test", return_origins=["https://registry.example"])
    added, secret = await office.clients.add_key(client.id)
    assert secret.startswith("hk_test_")
    assert replace(added, created_at=client.created_at) == client
    comparing, _ = await office.clients.add_key(client.id, scopes=("cases", "compare"))
    assert comparing.scopes == ("cases", "compare")
    assert (await office.clients.add_key(client.id))[0].scopes == ("cases", "compare")
    with pytest.raises(Invalid) as caught:
        await office.clients.add_key(client.id, scopes=("everything",))
    assert caught.value.code == "scope_unknown"
    with pytest.raises(NotFound):
        await office.clients.add_key("cli_x")


async def test_return_origins_are_those_of_all_keys(office: Office) -> None:
    _, secret = await office.clients.add_key(office.client.id)
    await office.clients.let_return_to(office.client.id, ["https://registry.example"])
    callers = [await office.clients.authenticate(key) for key in (office.api_key, secret)]
    assert [caller.return_origins for caller in callers] == [("https://registry.example",)] * 2


async def test_a_key_has_an_id_that_is_no_part_of_it(office: Office) -> None:
    (key,) = await office.clients.keys()
    assert key.id == key_id(hash_secret(office.api_key))
    assert key.id.removeprefix("key_") not in office.api_key


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
