from pathlib import Path

import pytest
from begun import begun
from running_service import RunningApi, registrant
from typer.testing import CliRunner

from api.cli import app
from benchmarks.registration import Filing


def place(filing: Filing) -> str:
    return f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/in_person"


@pytest.fixture
async def filing(api: RunningApi, portraits: dict[str, bytes]) -> Filing:
    """A case of somebody whose number is known here."""
    return await api.desk.open(registrant(portraits["person_a_1"]))


async def officer_header(api: RunningApi) -> dict[str, str]:
    _, secret = await api.services.officers.add("Officer 1", mode="live")
    return {"Authorization": f"Bearer {secret}"}


async def test_an_officer_records_who_was_at_the_window(api: RunningApi, filing: Filing) -> None:
    headers = await officer_header(api)
    seen = (await api.http.get(place(filing), headers=headers)).json()
    body = {
        "reason": "no_device",
        "id_document": {"type": "passport", "number": "E12345678"},
        "intent_sha256": seen["intent"]["sha256"],
    }
    wrong = {**body, "id_document": {"type": "passport", "number": "E00000000"}}
    refused = await api.http.post(place(filing), json=wrong, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity_mismatch")
    answer = await api.http.post(place(filing), json=body, headers=headers)
    assert (answer.status_code, answer.json()["method"]) == (201, "in_person")
    assert (await api.desk.state(filing))["subjects"][0]["state"] == "verified"
    assert await api.desk.mint(filing, filing.subjects[0])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_client_of_the_case_has_no_part_in_it(api: RunningApi, filing: Filing, method: str) -> None:
    body = {"reason": "referred", "id_document": {"type": "passport", "number": "E12345678"}, "intent_sha256": "0" * 64}
    answer = await api.http.request(method, place(filing), json=body if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")


async def test_an_officer_is_no_client(api: RunningApi, filing: Filing) -> None:
    answer = await api.http.get(f"/v1/cases/{filing.id}", headers=await officer_header(api))
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")


async def test_without_a_key_nobody_is_an_officer(api: RunningApi, filing: Filing) -> None:
    answer = await api.http.get(place(filing), headers={"Authorization": ""})
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_missing")


def test_officers_are_added_listed_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", str(begun(tmp_path)))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["officers", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    made = run("add", "Officer 7")
    assert "hk_officer_" in made
    officer = next(word for word in made.split() if word.startswith("off_"))
    listed = run("list")
    assert ("Officer 7" in listed, "hk_officer_" in listed) == (True, False)
    run("revoke", officer)
    assert "revoked" in run("list")
    assert "hk_officer_test_" in run("add", "Tester", "--test")
