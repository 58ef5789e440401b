import json
from pathlib import Path

import pytest
from running_service import RunningApi
from typer.testing import CliRunner, Result

from api.cli import app
from benchmarks.registration import Filing


@pytest.fixture
async def kept(api: RunningApi, filing: Filing, tmp_path: Path) -> tuple[str, str]:
    """What an archive keeps of a case: the package, and the keys."""
    answer = await api.http.get(f"/v1/cases/{filing.id}/archive")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert filing.id in answer.headers["content-disposition"]
    package, jwks = tmp_path / "case.zip", tmp_path / "jwks.json"
    package.write_bytes(answer.content)
    jwks.write_text((await api.http.get("/.well-known/jwks.json")).text)
    return str(package), str(jwks)


def verified(package: str, jwks: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["archive", "verify", package, "--jwks", jwks, *options])


def test_a_package_is_checked_offline(kept: tuple[str, str], filing: Filing) -> None:
    for_people, for_machines = verified(*kept), verified(*kept, "--json")
    assert (for_people.exit_code, filing.id in for_people.stdout) == (0, True)
    assert json.loads(for_machines.stdout)["case"] == filing.id


def test_a_damaged_package_is_not_valid(kept: tuple[str, str], tmp_path: Path) -> None:
    package, jwks = kept
    other = json.loads(Path(jwks).read_text())
    other["keys"] = [key for key in other["keys"] if key["heyan_for"] == "checkpoint"]
    strangers = tmp_path / "strangers.json"
    strangers.write_text(json.dumps(other))
    result = verified(package, str(strangers), "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (1, "archive_invalid")


def test_what_is_no_package_is_bad_input(kept: tuple[str, str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"hello")
    result = verified(str(bad), kept[1])
    assert (result.exit_code, "file_invalid" in result.stderr) == (2, True)
    assert (verified(str(tmp_path / "none.zip"), kept[1]).exit_code) == 2


async def test_the_archive_of_somebody_else_does_not_exist(api: RunningApi, filing: Filing) -> None:
    _, key = await api.services.clients.create("window 9", mode="live")
    answer = await api.http.get(f"/v1/cases/{filing.id}/archive", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "case_unknown")
