"""`heyan audit` beside a running service, on the same data directory."""

import asyncio
import json
from pathlib import Path

import pytest
from registry_office import CONVINCING
from running_service import RunningApi, registrant
from typer.testing import CliRunner, Result

from api.cli import app
from benchmarks.phone.online import Phone
from benchmarks.phone.person import Actor
from benchmarks.registration import Filing
from verify.auditing import last_audit


def audit(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments])


def audited(*options: str) -> Result:
    return audit("verify", *options)


@pytest.fixture
async def at_home(embedded_api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> RunningApi:
    """A service whose data directory is the command line's too."""
    monkeypatch.setenv("HEYAN_DATA_DIR", str(embedded_api.services.settings.data_dir))
    return embedded_api


@pytest.fixture
async def decided(at_home: RunningApi, portraits: dict[str, bytes]) -> Filing:
    """A case with one decision, under a checkpoint."""
    filing = await at_home.desk.open(registrant(portraits["person_a_1"]))
    phone = Phone(http=at_home.http, actor=Actor, rng=None)
    attempt = await phone.open(await phone.agree(await at_home.desk.invite(filing, filing.subjects[0])))
    claim = await at_home.services.sessions.claim(attempt.session_id, attempt.secret)
    await at_home.services.sessions.finish(claim, CONVINCING)
    await at_home.services.sequencer.round()
    return filing


async def test_it_runs_beside_the_service(at_home: RunningApi, decided: Filing, tmp_path: Path) -> None:
    result = await asyncio.to_thread(audited)
    assert (result.exit_code, "tail: unproven" in result.stdout) == (0, True)
    anchors = tmp_path / "anchors"
    anchors.mkdir()
    (anchors / "checkpoint.json").write_text((await at_home.http.get("/v1/checkpoints/1")).text)
    (anchors / "notes.txt").write_text("kept by the archive")
    jwks = tmp_path / "jwks.json"
    jwks.write_text((await at_home.http.get("/.well-known/jwks.json")).text)
    told = await asyncio.to_thread(audited, "--anchors", str(anchors), "--jwks", str(jwks), "--json")
    report = json.loads(told.stdout)
    assert (told.exit_code, report["intact"], report["proven_to"]) == (0, True, 1)
    assert report["tail"].startswith("proven to checkpoint 1 of ")
    last = await last_audit(at_home.services.store)
    assert last is not None
    assert (last.findings, last.cases, last.proven_to) == (0, 1, 1)


async def test_it_tells_what_does_not_fit(at_home: RunningApi, decided: Filing) -> None:
    store = at_home.services.store
    await store._connection.ask("DEL", store._file(decided.id))
    result = await asyncio.to_thread(audited)
    assert (result.exit_code, "case_deleted" in result.stdout) == (1, True)
    assert json.loads((await asyncio.to_thread(audited, "--json")).stdout)["intact"] is False


async def test_bad_anchors_are_named(at_home: RunningApi, tmp_path: Path) -> None:
    missing = await asyncio.to_thread(audited, "--anchors", str(tmp_path / "none"))
    assert (missing.exit_code, "file_unreadable" in missing.stderr) == (2, True)
    (tmp_path / "empty").mkdir()
    empty = await asyncio.to_thread(audited, "--anchors", str(tmp_path / "empty"))
    assert (empty.exit_code, "file_invalid" in empty.stderr) == (2, True)


async def test_scores_are_unsealed_with_the_key_of_the_first_start(decided: Filing) -> None:
    result = await asyncio.to_thread(audit, "unseal", decided.id)
    (line,) = result.stdout.splitlines()
    assert (result.exit_code, json.loads(line)["scores"]["decision"]) == (0, "Accepted")


async def test_an_auditor_makes_a_key_of_their_own_that_opens_nothing_of_others(
    decided: Filing, tmp_path: Path
) -> None:
    private, public = tmp_path / "auditor.jwk", tmp_path / "auditor.jwk.pub"
    made = await asyncio.to_thread(audit, "keygen", str(private))
    assert (made.exit_code, "HEYAN_AUDITOR_KEY" in made.stdout) == (0, True)
    assert private.stat().st_mode & 0o777 == 0o600
    assert "d" in json.loads(private.read_bytes())
    assert "d" not in json.loads(public.read_bytes())
    result = await asyncio.to_thread(audit, "unseal", decided.id, "--key", str(private))
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (1, "sealed_for_another")
    refused = await asyncio.to_thread(audit, "unseal", decided.id, "--key", str(public))
    assert (refused.exit_code, "key_damaged" in refused.stderr) == (2, True)


async def test_keygen_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken.jwk").write_text("precious")
    result = await asyncio.to_thread(audit, "keygen", str(tmp_path / "taken.jwk"))
    assert (result.exit_code, "file_unwritable" in result.stderr) == (2, True)
    assert (tmp_path / "taken.jwk").read_text() == "precious"


@pytest.mark.parametrize("case_id", ["nonsense", "case_aaaaaaaaaaaaaaaa"])
async def test_an_unknown_case_is_named(at_home: RunningApi, case_id: str) -> None:
    result = await asyncio.to_thread(audit, "unseal", case_id)
    assert (result.exit_code, "case_unknown" in result.stderr) == (2, True)
