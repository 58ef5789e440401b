import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from registry_office import Office
from standardwebhooks import Webhook, WebhookVerificationError

from verify.errors import VerifyError
from verify.notices import Notice
from verify.webhooks import ENDPOINTS_EACH, OVERLAP_SECONDS, SECRETS_EACH, Endpoint, Webhooks

URL = "https://registry.example/heyan"


@pytest.fixture
def webhooks(office: Office) -> Webhooks:
    return Webhooks(store=office.store, vault=office.keys.vault, entropy=secrets.token_bytes)


def notice(endpoint: Endpoint, **changes: object) -> Notice:
    made = Notice(
        id="evt_1",
        type="case.opened",
        client=endpoint.client,
        mode=endpoint.mode,
        at=endpoint.created_at,
        data={"case": "case_1"},
    )
    return replace(made, **changes)


def signers(webhooks: Webhooks, endpoint: Endpoint, candidates: Iterable[str], *, now: float) -> list[bool]:
    """Whether each secret finds a signature of its own on what is sent at a time."""
    told = notice(endpoint)
    request = webhooks.signed(endpoint, told, now=now)
    at = datetime.fromtimestamp(int(now), UTC)
    found = request.headers["webhook-signature"].split()
    return [Webhook(secret).sign(told.id, at, request.body.decode()) in found for secret in candidates]


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def test_a_receiver_verifies_with_the_standard_library(office: Office, webhooks: Webhooks) -> None:
    endpoint, secret = await webhooks.create(office.client, URL)
    request = webhooks.signed(endpoint, notice(endpoint), now=await office.store.now())
    assert Webhook(secret).verify(request.body, request.headers)["type"] == "case.opened"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(request.body.replace(b"case_1", b"case_2"), request.headers)


async def test_an_old_delivery_that_is_replayed_by_a_thief_is_too_old(office: Office, webhooks: Webhooks) -> None:
    endpoint, secret = await webhooks.create(office.client, URL)
    request = webhooks.signed(endpoint, notice(endpoint), now=await office.store.now() - 400)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(request.body, request.headers)


async def test_after_a_rotation_both_secrets_sign_for_a_day(office: Office, webhooks: Webhooks) -> None:
    endpoint, old = await webhooks.create(office.client, URL)
    rotated, new = await webhooks.rotate(office.client, endpoint.id)
    now = await office.store.now()
    both = webhooks.signed(rotated, notice(endpoint), now=now)
    assert len(both.headers["webhook-signature"].split()) == 2
    for secret in (old, new):
        Webhook(secret).verify(both.body, both.headers)
    later = webhooks.signed(rotated, notice(endpoint), now=now + OVERLAP_SECONDS + 1)
    assert len(later.headers["webhook-signature"].split()) == 1


async def test_a_second_rotation_keeps_the_day_of_the_secret_that_is_in_use(office: Office, webhooks: Webhooks) -> None:
    endpoint, first = await webhooks.create(office.client, URL)
    now = await office.store.now()
    office.store.stop_at(now)
    _, second = await webhooks.rotate(office.client, endpoint.id)
    office.store.stop_at(now + OVERLAP_SECONDS / 2)
    endpoint, third = await webhooks.rotate(office.client, endpoint.id)
    assert signers(webhooks, endpoint, (first, second, third), now=now + OVERLAP_SECONDS / 2) == [True] * 3
    assert signers(webhooks, endpoint, (first, second, third), now=now + OVERLAP_SECONDS) == [False, True, True]
    office.store.stop_at(now + OVERLAP_SECONDS)
    endpoint, _ = await webhooks.rotate(office.client, endpoint.id)
    assert len(endpoint.secrets) == 3  # the first is gone for good


async def test_so_many_secrets_sign_and_no_more(office: Office, webhooks: Webhooks) -> None:
    endpoint, first = await webhooks.create(office.client, URL)
    secrets_of_today = [first]
    for _ in range(SECRETS_EACH):
        endpoint, secret = await webhooks.rotate(office.client, endpoint.id)
        secrets_of_today.append(secret)
    signed = signers(webhooks, endpoint, secrets_of_today, now=await office.store.now())
    assert signed == [False, *[True] * SECRETS_EACH]


async def test_the_store_holds_no_secret(office: Office, webhooks: Webhooks) -> None:
    _, secret = await webhooks.create(office.client, URL)
    stored = b"".join((await office.store.records("webhooks")).values())
    assert secret.removeprefix("whsec_").encode() not in stored


async def test_only_types_that_exist_can_be_wanted(office: Office, webhooks: Webhooks) -> None:
    assert await refusal(webhooks.create(office.client, URL, ["case.exploded"])) == "notice_type_unknown"


async def test_a_client_has_so_many_and_no_more(office: Office, webhooks: Webhooks) -> None:
    for _ in range(ENDPOINTS_EACH):
        await webhooks.create(office.client, URL)
    assert await refusal(webhooks.create(office.client, URL)) == "webhook_limit"
    await webhooks.create(replace(office.client, mode="test"), URL)


async def test_another_client_and_another_mode_see_none(office: Office, webhooks: Webhooks) -> None:
    endpoint, _ = await webhooks.create(office.client, URL)
    for stranger in (replace(office.client, id="cli_x"), replace(office.client, mode="test")):
        assert await webhooks.list(stranger) == ()
        for touch in (webhooks.get, webhooks.delete, webhooks.rotate):
            assert await refusal(touch(stranger, endpoint.id)) == "webhook_unknown"
    assert await webhooks.list(office.client) == (endpoint,)


async def test_a_deleted_one_is_gone(office: Office, webhooks: Webhooks) -> None:
    endpoint, _ = await webhooks.create(office.client, URL)
    await webhooks.delete(office.client, endpoint.id)
    assert await refusal(webhooks.get(office.client, endpoint.id)) == "webhook_unknown"
    await webhooks.disable(endpoint)
    assert await webhooks.find(endpoint.id) is None
    assert webhooks.vault.is_erased(endpoint.id, "webhook-secret")


async def test_changes_at_once_are_both_kept(office: Office, webhooks: Webhooks) -> None:
    endpoint, _ = await webhooks.create(office.client, URL)
    await webhooks.rotate(office.client, endpoint.id)
    await webhooks.disable(endpoint)  # knows the endpoint only as it was before
    after = await webhooks.find(endpoint.id)
    assert after is not None
    assert (after.state, len(after.secrets)) == ("disabled", 2)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"type": "subject.verified"}, False),
        ({"client": "cli_x"}, False),
        ({"mode": "test"}, False),
        ({"at": 0.0}, False),
    ],
)
async def test_an_endpoint_gets_what_it_asked_for(
    office: Office, webhooks: Webhooks, changes: dict[str, object], wanted: bool
) -> None:
    endpoint, _ = await webhooks.create(office.client, URL, ["case.opened"])
    assert endpoint.wants(notice(endpoint, **changes)) is wanted
    assert not replace(endpoint, state="disabled").wants(notice(endpoint))
