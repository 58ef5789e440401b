import secrets
from dataclasses import replace

import pytest
from registry_office import Office

from verify.deliveries import Attempt, Deliveries, after_attempt
from verify.errors import VerifyError
from verify.replay import Replays
from verify.webhooks import Endpoint, Webhooks


@pytest.fixture
def replays(office: Office) -> Replays:
    return Replays(office.store, Webhooks(store=office.store, vault=office.keys.vault, entropy=secrets.token_bytes))


@pytest.fixture
async def endpoint(replays: Replays, office: Office) -> Endpoint:
    return (await replays.webhooks.create(office.client, "https://registry.example", ["case.opened"]))[0]


async def due(office: Office) -> list[str]:
    """Ids of the notices that go out now; they count as delivered then."""
    queue, sent = Deliveries(office.store), list[str]()
    for leased in await queue.lease(now=await office.store.now(), limit=1000, each=1000):
        attempt = Attempt(at=0.0, seconds=0.0, status=200)
        await queue.settle(leased, after_attempt(leased.delivery, attempt, jitter=0.0))
        sent.append(leased.delivery.notice.id)
    return sorted(sent)


async def test_everything_since_a_time_goes_out_again(office: Office, replays: Replays, endpoint: Endpoint) -> None:
    old, _ = await office.case()
    since = await office.store.now()
    files = [(await office.case())[0] for _ in range(3)]
    wanted = sorted([(await office.store.notices(file.case.id))[0].id for file in files])
    for _ in range(2):
        assert await replays.since(endpoint.id, since) == 3
        assert await due(office) == wanted
    assert await replays.since(endpoint.id, 0.0) == 4
    assert (await office.store.notices(old.case.id))[0].id in await due(office)


async def test_more_cases_than_a_page_are_all_found(
    office: Office, replays: Replays, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verify.replay._PAGE", 2)
    for _ in range(5):
        await office.case()
    assert await replays.since(endpoint.id, 0.0) == 5


async def test_one_goes_out_again_by_its_id(office: Office, replays: Replays, endpoint: Endpoint) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    last = (await office.store.notices(file.case.id))[-1]
    assert await replays.of(endpoint.id, (last.id,)) == 1
    assert await due(office) == [last.id]


@pytest.mark.parametrize("notice_id", ["", "evt_x", "evt_aaaaaaaaaaaaaaaa_1_0", "case_aaaaaaaaaaaaaaaa"])
async def test_what_does_not_exist_is_said_to_be_unknown(replays: Replays, endpoint: Endpoint, notice_id: str) -> None:
    with pytest.raises(VerifyError) as refusal:
        await replays.of(endpoint.id, (notice_id,))
    assert refusal.value.code == "notice_unknown"


async def test_nobody_gets_another_clients_notices(office: Office, replays: Replays) -> None:
    file, _ = await office.case()
    stranger, _ = await replays.webhooks.create(replace(office.client, id="cli_x"), "https://stranger.example")
    assert await replays.since(stranger.id, 0.0) == 0
    with pytest.raises(VerifyError) as refusal:
        await replays.of(stranger.id, ((await office.store.notices(file.case.id))[0].id,))
    assert refusal.value.code == "notice_unknown"


async def test_an_unknown_webhook_is_unknown(replays: Replays) -> None:
    with pytest.raises(VerifyError) as refusal:
        await replays.since("whk_x", 0.0)
    assert refusal.value.code == "webhook_unknown"
