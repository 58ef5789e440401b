"""The client against a real service, and against answers that a service gives on bad days."""

import asyncio
import threading
from collections.abc import Iterator
from hashlib import sha256
from secrets import token_bytes
from typing import Any

import httpx
import pytest

from benchmarks.service import Service, running_service
from examples.client import ATTEMPTS, Heyan, HeyanError
from examples.registration import DOCUMENT, register, shareholder
from verify.clients import Clients
from verify.store import open_store


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("examples") / "data") as running:
        yield running


def key_of(service: Service) -> str:
    """A new key of test mode, made beside the running service."""

    async def made() -> str:
        async with await open_store(None, service.data_dir, supervise=False) as store:
            return (await Clients(store, token_bytes).create("example", mode="test"))[1]

    return asyncio.run(made())


@pytest.fixture
def heyan(service: Service) -> Iterator[Heyan]:
    with Heyan(service.url, key_of(service)) as client:
        yield client


def opened(heyan: Heyan, **changes: Any) -> Any:
    body = {"action": "capital.increase", "document_sha256": "0" * 64, "subjects": [shareholder("E1")], **changes}
    return heyan.open_case(**body)


def test_the_flow_leads_to_a_receipt_for_everybody(heyan: Heyan) -> None:
    receipts = register(heyan, number="2026-1")
    assert len({receipt.claims["subject"] for receipt in receipts}) == 2
    assert {receipt.claims["capture"] for receipt in receipts} == {"simulated"}
    assert heyan.receipt(receipts[0].id) == receipts[0]
    (case,) = heyan.cases(state="completed")
    assert case.external_id == "2026-1"
    assert case.document_sha256 == sha256(DOCUMENT).hexdigest()


def test_opening_again_under_the_same_key_opens_nothing(heyan: Heyan) -> None:
    first, again = (opened(heyan, idempotency_key="our-filing-7") for _ in range(2))
    assert first == again
    assert len(list(heyan.cases())) == 1


def test_all_pages_are_read(heyan: Heyan) -> None:
    ids = [opened(heyan).id for _ in range(5)]
    assert [case.id for case in heyan.cases(page=2)] == ids[::-1]


def test_a_redemption_whose_answer_was_lost_still_gives_the_receipt(heyan: Heyan) -> None:
    case = opened(heyan)
    subject = case.subjects[0].id
    assert heyan.simulate(case.id, subject) == "accepted"
    token = heyan.mint(case.id, subject)
    assert heyan.redeem(case, subject, token) == heyan.redeem(case, subject, token)


def test_a_whole_case_whose_answer_was_lost_still_gives_every_receipt(heyan: Heyan) -> None:
    case = opened(heyan, subjects=[shareholder("E1"), shareholder("E2")])
    for subject in case.subjects:
        heyan.simulate(case.id, subject.id)
    tokens = {subject.id: heyan.mint(case.id, subject.id) for subject in case.subjects}
    first, again = heyan.redeem_together(case, tokens), heyan.redeem_together(case, tokens)
    assert [receipt.claims["subject"] for receipt in first] == list(tokens)
    assert again == first


def test_a_case_tells_how_far_its_people_are(heyan: Heyan) -> None:
    case = opened(heyan)
    assert (case.subjects[0].last_attempt, case.subjects[0].invite) == (None, None)
    assert heyan.simulate(case.id, case.subjects[0].id) == "accepted"
    (verified,) = heyan.case(case.id).subjects
    assert (verified.last_attempt.outcome, verified.last_attempt.reason) == ("accepted", None)
    assert verified.invite.state == "exchanged"
    assert verified.last_attempt.opened_at <= verified.verified_at < verified.valid_until
    receipt = heyan.redeem(case, verified.id, heyan.mint(case.id, verified.id))
    assert heyan.case(case.id).subjects[0].receipt == receipt.id


def test_a_case_that_somebody_changed_is_not_cancelled_unseen(heyan: Heyan) -> None:
    seen = heyan.case(opened(heyan).id)
    invite = heyan.invite(seen.id, seen.subjects[0].id)
    assert invite.code not in repr(invite)
    with pytest.raises(HeyanError) as refusal:
        heyan.cancel(seen, reason="mistake")
    assert (refusal.value.code, refusal.value.status) == ("precondition_failed", 412)
    assert heyan.cancel(heyan.case(seen.id), reason="mistake").state == "cancelled"


def test_a_link_is_sent_by_the_service_that_runs(heyan: Heyan) -> None:
    case = opened(heyan)
    heyan.invite(case.id, case.subjects[0].id, deliver={"channel": "email", "to": "zhang@example.com"})
    told = next(event for event in heyan.events(case.id) if event.type.startswith("message."))
    assert (told.type, told.data["kind"]) == ("message.sent", "invitation")


def test_events_are_followed_to_the_end_of_the_case(heyan: Heyan) -> None:
    case = opened(heyan)
    cancelling = threading.Timer(0.2, lambda: heyan.cancel(case, reason="withdrawn"))
    cancelling.start()
    told = [event.type for event in heyan.events(case.id)]
    cancelling.join()
    assert told == ["case.opened", "case.cancelled"]


def test_nothing_comes_after_the_last_event(heyan: Heyan) -> None:
    case = heyan.cancel(opened(heyan), reason="withdrawn")
    *_, last = heyan.events(case.id)
    assert list(heyan.events(case.id, after=last.id)) == []


def test_a_wrong_key_is_told_by_its_code(service: Service) -> None:
    with Heyan(service.url, "hk_test_wrong") as stranger, pytest.raises(HeyanError) as refusal:
        stranger.case("case_x")
    assert (refusal.value.code, refusal.value.status) == ("api_key_invalid", 401)


def answering(*answers: "httpx.Response | Exception") -> tuple[Heyan, list[httpx.Request], list[float]]:
    """A client whose service gives these answers, one after the other; what it sent, and how long it waited."""
    sent, waited, left = list[httpx.Request](), list[float](), iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        given = next(left)
        if isinstance(given, Exception):
            raise given
        return given

    return Heyan("http://heyan", "hk_test", transport=httpx.MockTransport(answer), sleep=waited.append), sent, waited


BUSY = {"code": "overloaded", "detail": "later"}
MINTED = httpx.Response(201, json={"token": "t"})


def test_what_was_not_answered_is_repeated_under_the_same_idempotency_key() -> None:
    busy = httpx.Response(503, json=BUSY, headers={"retry-after": "7"})
    running = httpx.Response(409, json={"code": "idempotency_in_progress"})
    heyan, sent, waited = answering(httpx.ReadTimeout("no answer"), busy, running, MINTED)
    assert heyan.mint("case_1", "sub_1") == "t"
    assert len({request.headers["idempotency-key"] for request in sent}) == 1
    assert waited == [0.5, 7.0, 2.0]


def test_every_request_has_a_key_of_its_own() -> None:
    heyan, sent, _ = answering(MINTED, MINTED)
    for _ in range(2):
        heyan.mint("case_1", "sub_1")
    assert len({request.headers["idempotency-key"] for request in sent}) == 2


def test_a_refusal_is_not_repeated() -> None:
    heyan, sent, waited = answering(httpx.Response(409, json={"code": "not_verified", "detail": "not yet"}))
    with pytest.raises(HeyanError, match="not_verified"):
        heyan.mint("case_1", "sub_1")
    assert (len(sent), waited) == (1, [])


@pytest.mark.parametrize("failure", [httpx.Response(503, json=BUSY), httpx.ConnectError("nobody there")])
def test_a_bad_day_ends(failure: "httpx.Response | Exception") -> None:
    heyan, sent, waited = answering(*[failure] * ATTEMPTS)
    with pytest.raises((HeyanError, httpx.ConnectError)):
        heyan.mint("case_1", "sub_1")
    assert (len(sent), len(waited)) == (ATTEMPTS, ATTEMPTS - 1)


def test_an_answer_of_something_in_between_is_an_error_too() -> None:
    heyan, _, _ = answering(httpx.Response(404, text="<html>"))
    with pytest.raises(HeyanError) as refusal:
        heyan.case("case_1")
    assert (refusal.value.code, refusal.value.status) == ("unknown", 404)
