"""Erasing on the command line, and the number of stored faces where an operator sees it."""

import asyncio

import pytest
from running_service import RunningApi, registrant
from typer.testing import CliRunner, Result

from api.cli import app
from benchmarks.registration import Filing, new_case


@pytest.fixture
async def at_home(embedded_api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> RunningApi:
    """A service whose data directory is the command line's too."""
    monkeypatch.setenv("HEYAN_DATA_DIR", str(embedded_api.services.settings.data_dir))
    return embedded_api


@pytest.fixture
async def own_filing(at_home: RunningApi, portraits: dict[str, bytes]) -> Filing:
    return await at_home.desk.open(
        registrant(portraits["person_a_1"]), registrant(portraits["person_b_1"], role="director")
    )


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def test_a_person_is_erased_beside_the_running_service(at_home: RunningApi, own_filing: Filing) -> None:
    subject = own_filing.subjects[0]
    first, second = [await run("subjects", "erase", own_filing.id, subject) for _ in range(2)]
    assert (first.exit_code, "is erased" in first.stdout) == (0, True)
    assert (second.exit_code, "erased before" in second.stdout) == (0, True)
    seen = (await at_home.desk.state(own_filing))["subjects"][0]
    assert (seen["name_masked"], seen["reference_state"]) == ("", "erased")
    link = await at_home.http.post(f"/v1/cases/{own_filing.id}/subjects/{subject}/invites")
    assert (link.status_code, link.json()["code"]) == (410, "content_erased")


async def test_a_client_sees_who_was_erased_and_how_to_go_on(
    at_home: RunningApi, own_filing: Filing, portraits: dict[str, bytes]
) -> None:
    subject = own_filing.subjects[0]
    path = f"/v1/cases/{own_filing.id}/subjects"
    code = {"code": (await at_home.http.post(f"{path}/{subject}/dispute-links")).json()["code"]}
    await run("subjects", "erase", own_filing.id, subject)
    assert [each["state"] for each in (await at_home.desk.state(own_filing))["subjects"]] == ["erased", "pending"]
    for ask in ("/v1/disputes/inspect", "/v1/disputes"):
        dead = await at_home.http.post(ask, json=code)
        assert (dead.status_code, dead.json()["code"]) == (410, "content_erased")
    again = new_case(registrant(portraits["person_a_1"]))["subjects"][0]
    refused = await at_home.http.put(f"{path}/{subject}", json=again)
    assert (refused.status_code, refused.json()["code"]) == (410, "content_erased")
    assert "add whoever takes the place" in refused.json()["detail"]
    assert (await at_home.http.delete(f"{path}/{subject}")).json()["code"] == "required_role_missing"
    assert (await at_home.http.post(path, json=again)).status_code == 201
    assert (await at_home.http.delete(f"{path}/{subject}")).status_code == 200
    assert [each["state"] for each in (await at_home.desk.state(own_filing))["subjects"]] == ["pending", "pending"]


@pytest.mark.parametrize(("case", "code"), [(None, "subject_unknown"), ("case_aaaaaaaaaaaaaaaa", "case_unknown")])
async def test_whom_nobody_knows_is_named(own_filing: Filing, case: str | None, code: str) -> None:
    result = await run("subjects", "erase", case or own_filing.id, "sub_nobody")
    assert (result.exit_code, code in result.stderr) == (2, True)


async def test_after_a_restore_a_new_epoch_begins(at_home: RunningApi, own_filing: Filing) -> None:
    before = await at_home.services.store.epoch()
    result = await run("store", "restored")
    assert (result.exit_code, "0 people erased again" in result.stdout) == (0, True)
    assert await at_home.services.store.epoch() > before


async def test_stored_faces_are_told(at_home: RunningApi, own_filing: Filing) -> None:
    await at_home.services.sequencer.round()
    checks = (await at_home.http.get("/readyz")).json()["checks"]
    assert next(check for check in checks if check["name"] == "faces")["detail"] == "2 faces are stored"
    await at_home.services.store.ledger.note_faces("case_many", 100_000)
    checks = (await at_home.http.get("/readyz")).json()["checks"]
    faces = next(check for check in checks if check["name"] == "faces")
    assert (faces["ok"], "the authority must be told" in faces["detail"]) == (True, True)
    assert "heyan_stored_faces" in (await at_home.http.get("/metrics")).text
