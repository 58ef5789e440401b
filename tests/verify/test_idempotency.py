import secrets
from dataclasses import replace

import pytest
from registry_office import ClockedStore, Office

from verify.errors import VerifyError
from verify.idempotency import KEPT_SECONDS, Answer, Answers, Begun, Running
from verify.store_address import connect_to

KEY = "filing-2026-000123"
ANSWER = Answer(status=201, headers={"content-type": "application/json"}, body=b'{"code":"the-invite"}')


async def begin(answers: Answers, office: Office, **changes: object) -> "Begun | Running | Answer":
    asked = {"api_key": office.api_key, "path": "/v1/cases", "idempotency_key": KEY, "body": b"{}", **changes}
    return await answers.begin(asked.pop("client", office.client), **asked)


@pytest.fixture
def answers(office: Office) -> Answers:
    return Answers(office.store, secrets.token_bytes)


async def test_the_first_runs_the_next_wait_and_then_get_its_answer(answers: Answers, office: Office) -> None:
    begun = await begin(answers, office)
    assert isinstance(begun, Begun)
    assert await begin(answers, office) == Running()
    await answers.keep(begun, ANSWER)
    assert await begin(answers, office) == ANSWER


async def test_another_replica_gives_the_same_answer(answers: Answers, office: Office, valkey_url: str) -> None:
    await answers.keep(await begin(answers, office), ANSWER)
    async with ClockedStore(connect_to(valkey_url), prefix=office.store._prefix) as replica:
        assert await begin(Answers(replica, secrets.token_bytes), office) == ANSWER


@pytest.mark.parametrize("kept", [False, True])
async def test_another_body_is_refused(answers: Answers, office: Office, kept: bool) -> None:
    begun = await begin(answers, office)
    if kept:
        await answers.keep(begun, ANSWER)
    with pytest.raises(VerifyError) as refusal:
        await begin(answers, office, body=b"{ }")
    assert refusal.value.code == "idempotency_key_reused"


async def test_a_key_belongs_to_a_client_a_mode_and_a_path(answers: Answers, office: Office) -> None:
    await answers.keep(await begin(answers, office), ANSWER)
    strangers = [
        {"client": replace(office.client, id="cli_other")},
        {"client": replace(office.client, mode="test")},
        {"path": "/v1/tokens/redeem"},
        {"api_key": "hk_live_other"},
    ]
    for changes in strangers:
        assert isinstance(await begin(answers, office, body=b"another", **changes), Begun)


async def test_what_was_released_may_run_again(answers: Answers, office: Office) -> None:
    await answers.release(await begin(answers, office))
    assert isinstance(await begin(answers, office, body=b"mended"), Begun)


async def test_a_run_that_lost_its_turn_changes_nothing(answers: Answers, office: Office) -> None:
    late = await begin(answers, office)
    await answers.release(late)
    current = await begin(answers, office)
    await answers.keep(late, replace(ANSWER, body=b"late"))
    await answers.release(late)
    assert await begin(answers, office) == Running()
    await answers.keep(current, ANSWER)
    assert await begin(answers, office) == ANSWER


@pytest.mark.parametrize("key", ["", "short", "with space", "x" * 256, "käse-12345", "line\nbreak"])
async def test_a_key_of_another_form_is_refused(answers: Answers, office: Office, key: str) -> None:
    with pytest.raises(VerifyError) as refusal:
        await begin(answers, office, idempotency_key=key)
    assert refusal.value.code == "idempotency_key_invalid"


async def test_the_store_holds_nothing_readable_and_forgets_after_a_day(
    answers: Answers, office: Office, valkey_url: str
) -> None:
    begun = await begin(answers, office, body=b'{"name": "secret-name"}')
    await answers.keep(begun, ANSWER)
    connection = connect_to(valkey_url)
    name = f"{office.store._prefix}:{begun.name}"
    stored, seconds = await connection.ask_all(("HGETALL", name), ("TTL", name))
    await connection.close()
    text = name + str(stored)
    assert not [word for word in (KEY, "the-invite", "secret-name", office.api_key, "/v1/cases") if word in text]
    assert KEPT_SECONDS - 5 < seconds <= KEPT_SECONDS
