"""Photos from an authority: its own process, mutual TLS over loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import stamina
import trustme
from authority_process import AuthorityProcess, running_authority
from PIL import Image
from running_service import RunningApi, running_api

from api.authority import ATTEMPTS, FAILURES, AuthorityPhotos, open_authority
from api.metrics import Metrics
from api.settings import Settings, SettingsError
from models.engine import Engine
from verify.photo_source import NoPhotoError, PhotoDelayedError, Sought

NAME = "张三丰"
ALONE, CROWDED = "E12345678", "E22222222"
SOUGHT = Sought(id_type="passport", id_number=ALONE, name=NAME)
BARE = {"Authorization": ""}


def side_by_side(*photos: bytes) -> bytes:
    pictures = [Image.open(BytesIO(photo)).convert("RGB").resize((320, 400)) for photo in photos]
    both = Image.new("RGB", (640, 400))
    for place, picture in enumerate(pictures):
        both.paste(picture, (320 * place, 0))
    buffer = BytesIO()
    both.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, portraits: dict[str, bytes]) -> Iterator[AuthorityProcess]:
    photos = {
        f"{ALONE}_{NAME}.jpg": portraits["person_a_1"],
        f"{CROWDED}_{NAME}.jpg": side_by_side(portraits["person_a_1"], portraits["person_b_1"]),
    }
    with running_authority(tmp_path_factory.mktemp("authority"), photos) as running:
        yield running


@pytest.fixture(autouse=True)
def without_pauses() -> Iterator[None]:
    """As many attempts as in service, without waiting between them."""
    with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
        yield


def settings_for(authority: AuthorityProcess, **changes: Any) -> Settings:
    keys = authority.keys
    given = {
        "authority_url": authority.url,
        "authority_ca": keys / "ca.pem",
        "authority_certificate": keys / "client.pem",
        "authority_key": keys / "client.key",
        "authority_seconds": 5.0,
    }
    return Settings(**{**given, **changes})


def source(authority: AuthorityProcess, **changes: Any) -> AuthorityPhotos:
    found = open_authority(settings_for(authority, **changes), Metrics())
    assert found is not None
    return found


def count(photos: AuthorityPhotos, answer: str) -> float:
    return photos.metrics.registry.get_sample_value("heyan_authority_photos_total", {"answer": answer}) or 0.0


def stranger(folder: Path) -> dict[str, Path]:
    """Certificates of an authority that nobody trusts."""
    made = trustme.CA()
    issued = made.issue_cert("localhost")
    made.cert_pem.write_to_path(folder / "ca.pem")
    issued.private_key_pem.write_to_path(folder / "client.key")
    (folder / "client.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return {"ca": folder / "ca.pem", "certificate": folder / "client.pem", "key": folder / "client.key"}


async def test_the_photo_of_a_number_and_a_name(authority: AuthorityProcess, portraits: dict[str, bytes]) -> None:
    photos = source(authority)
    assert await photos.fetch(SOUGHT) == portraits["person_a_1"]
    assert count(photos, "found") == 1


@pytest.mark.parametrize(
    ("changes", "answer"), [({"id_number": "E9"}, "photo_not_found"), ({"name": "李四"}, "name_mismatch")]
)
async def test_no_photo_on_record_and_another_name_are_final(
    authority: AuthorityProcess, changes: dict[str, str], answer: str
) -> None:
    photos = source(authority)
    for _ in range(FAILURES + 1):
        with pytest.raises(NoPhotoError):
            await photos.fetch(replace(SOUGHT, **changes))
    assert (count(photos, answer), count(photos, "paused")) == (FAILURES + 1, 0)


async def test_a_certificate_of_another_authority_gets_nothing(authority: AuthorityProcess, tmp_path: Path) -> None:
    other = stranger(tmp_path)
    photos = source(authority, authority_certificate=other["certificate"], authority_key=other["key"])
    with pytest.raises(PhotoDelayedError):
        await photos.fetch(SOUGHT)


async def test_a_service_that_is_not_the_authority_is_told_nothing(authority: AuthorityProcess, tmp_path: Path) -> None:
    photos = source(authority, authority_ca=stranger(tmp_path)["ca"])
    with pytest.raises(PhotoDelayedError, match="ConnectError"):
        await photos.fetch(SOUGHT)


async def silent(writer: asyncio.StreamWriter) -> None:
    """An answer that never begins."""
    await writer.wait_closed()


async def dripping(writer: asyncio.StreamWriter) -> None:
    """An answer that never ends: each byte comes soon after the one before."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b".")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("answer", [silent, dripping])
async def test_an_authority_that_does_not_answer_in_time(
    authority: AuthorityProcess, answer: Callable[[asyncio.StreamWriter], Awaitable[None]]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.keys / "server.pem", authority.keys / "server.key")
    connections: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with suppress(ConnectionError, ssl.SSLError):
            await answer(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    photos = source(authority, authority_url=f"https://localhost:{port}", authority_seconds=0.2)
    async with asyncio.timeout(10):
        with pytest.raises(PhotoDelayedError, match=r"within 0\.2 seconds"):
            await photos.fetch(SOUGHT)
    assert len(connections) == ATTEMPTS
    for writer in connections:
        writer.transport.abort()
    server.close()


async def test_answers_that_the_contract_does_not_know_are_no_answers(authority: AuthorityProcess) -> None:
    elsewhere = source(authority, authority_url=f"{authority.url}/elsewhere")
    with pytest.raises(PhotoDelayedError, match="answered 404"):
        await elsewhere.fetch(SOUGHT)


async def test_the_breaker_opens_and_closes_again(authority: AuthorityProcess, portraits: dict[str, bytes]) -> None:
    authority.stop()
    try:
        photos = source(authority, authority_pause_seconds=0.5)
        for _ in range(FAILURES):
            with pytest.raises(PhotoDelayedError):
                await photos.fetch(SOUGHT)
        with pytest.raises(PhotoDelayedError, match="lately") as paused:
            await photos.fetch(SOUGHT)
        assert paused.value.retry_after == 1.0
        assert (count(photos, "delayed"), count(photos, "paused")) == (FAILURES, 1)
    finally:
        authority.start()
    assert await patiently(lambda: fetched(photos)) == portraits["person_a_1"]
    assert photos.breaker.closed


async def patiently(attempt: Callable[[], Awaitable[Any]]) -> Any:
    """What an attempt comes to, once it comes to something."""
    for _ in range(400):
        found = await attempt()
        if found is not None:
            return found
        await asyncio.sleep(0.02)
    return None


async def fetched(photos: AuthorityPhotos) -> bytes | None:
    try:
        return await photos.fetch(SOUGHT)
    except PhotoDelayedError:
        return None


@pytest.mark.parametrize("name", ["authority_ca", "authority_certificate", "authority_key"])
def test_certificates_that_cannot_be_used_stop_the_start(
    authority: AuthorityProcess, tmp_path: Path, name: str
) -> None:
    for path in (tmp_path / "missing.pem", tmp_path):
        with pytest.raises(SettingsError) as caught:
            open_authority(settings_for(authority, **{name: path}), Metrics())
        assert caught.value.code == "setting_invalid"


@pytest.mark.parametrize("changes", [{"authority_key": None}, {"authority_url": "http://localhost"}])
def test_an_authority_needs_https_and_all_certificates(authority: AuthorityProcess, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"HEYAN_AUTHORITY_KEY|https://"):
        settings_for(authority, **changes)


@pytest.fixture
async def served(
    engine: Engine, api_store_url: str, shared_keys: Path, tmp_path: Path, authority: AuthorityProcess
) -> AsyncIterator[RunningApi]:
    """The service, set up with the authority."""
    (tmp_path / "keys").symlink_to(shared_keys)
    settings = settings_for(
        authority, data_dir=tmp_path, port=0, store_url=api_store_url, workers=2, authority_pause_seconds=0.2
    )
    async with running_api(settings, engine) as running:
        yield running


def body(number: str) -> dict[str, Any]:
    subject = {
        "name": NAME,
        "role": "shareholder",
        "id_document": {"type": "passport", "number": number},
        "reference": {"source": "authority"},
    }
    return {"action": "capital.increase", "document_sha256": "0" * 64, "subjects": [subject]}


async def invited(api: RunningApi, number: str) -> tuple[str, str]:
    """Id of a case, and the code of its subject's link."""
    opened = await api.http.post("/v1/cases", json=body(number))
    assert opened.status_code == 201
    (subject,) = opened.json()["subjects"]
    assert (subject["reference_state"], subject["provenance"]) == ("awaited", "authority")
    case = opened.json()["id"]
    return case, (await api.http.post(f"/v1/cases/{case}/subjects/{subject['id']}/invites")).json()["code"]


async def consent(api: RunningApi, code: str) -> Any:
    seen = (await api.http.post("/v1/invites/inspect", json={"code": code}, headers=BARE)).json()
    given = {
        "code": code,
        "agreed": True,
        "consent_version": seen["consent"]["version"],
        "consent_sha256": seen["consent"]["sha256"]["en"],
        "intent_sha256": seen["intent"]["sha256"],
        "language": "en",
    }
    return await api.http.post("/v1/invites/consent", json=given, headers=BARE)


async def exchange(api: RunningApi, code: str) -> Any:
    return await api.http.post("/v1/invites/exchange", json={"code": code}, headers=BARE)


async def subject_of(api: RunningApi, case: str) -> Any:
    return (await api.http.get(f"/v1/cases/{case}")).json()["subjects"][0]


async def test_nobody_submits_a_photo_that_the_authority_holds(served: RunningApi) -> None:
    case, code = await invited(served, ALONE)
    assert (await consent(served, code)).json()["state"] == "consented"
    assert (await subject_of(served, case))["reference_state"] == "template"
    assert (await exchange(served, code)).json()["attempts_left"] == 3


async def test_two_faces_in_the_authoritys_photo(served: RunningApi) -> None:
    case, code = await invited(served, CROWDED)
    answer = await consent(served, code)
    assert (answer.status_code, answer.json()["code"]) == (422, "reference_unusable")
    found = await subject_of(served, case)
    assert (found["state"], found["reference_reason"]) == ("reference_unusable", "face_several")


async def test_the_person_goes_on_once_the_authority_is_back(served: RunningApi, authority: AuthorityProcess) -> None:
    case, code = await invited(served, ALONE)
    authority.stop()
    try:
        assert (await consent(served, code)).json()["state"] == "consented"
        answer = await exchange(served, code)
        assert (answer.status_code, answer.json()["code"]) == (503, "reference_delayed")
        assert int(answer.headers["retry-after"]) >= 1
        found = await subject_of(served, case)
        assert (found["reference_state"], found["reference_reason"]) == ("awaited", "authority_delayed")
    finally:
        authority.start()
    assert (await patiently(lambda: granted(served, code)))["attempts_left"] == 3


async def granted(api: RunningApi, code: str) -> Any:
    answer = await exchange(api, code)
    return None if answer.status_code == 503 else answer.json()


async def test_a_photo_and_an_authority_are_not_asked_for_at_once(served: RunningApi) -> None:
    both = body(ALONE)
    both["subjects"][0]["reference"] |= {"provenance": "authority", "photo": "AAAA"}
    answer = await served.http.post("/v1/cases", json=both)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


async def test_without_an_authority_the_photo_must_come(api: RunningApi) -> None:
    answer = await api.http.post("/v1/cases", json=body(ALONE))
    assert (answer.status_code, answer.json()["code"]) == (422, "authority_not_configured")
