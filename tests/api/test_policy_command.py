"""`heyan policy` as operators use it, and the start of the service by what they approved."""

import asyncio
import json
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from begun import begun
from registry_office import CONVINCING, IMPOSTOR
from running_service import RunningApi, registrant
from typer.testing import CliRunner, Result

from api.cli import app
from api.composition import Services, open_services
from api.diagnosis import diagnose
from api.settings import Settings
from benchmarks.phone.online import Phone
from benchmarks.phone.person import Actor
from models.engine import Engine
from models.prepare import default_data_dir
from verify.operators import OPERATORS_CHAIN, Operators
from verify.policy import DEFAULT, PolicyError, names, shipped_text
from verify.policy_changes import PolicyChanges, file_digest
from verify.store import open_store

OWN = f'version = "mine"\nextends = "{DEFAULT}"\ncompared_frames = 8\nleast_similarity = 0.7\n'
OTHER = next(name for name in names() if name.startswith(DEFAULT) and name != DEFAULT)


def run(*arguments: str, key: str | None = None) -> Result:
    return CliRunner().invoke(app, ["policy", *arguments], input=None if key is None else f"{key}\n")


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory for keys and store, with the weights that are there already."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "models").symlink_to(default_data_dir().absolute() / "models")
    monkeypatch.setenv("HEYAN_DATA_DIR", str(folder))
    return begun(folder)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    return path


def new_operator(name: str) -> tuple[str, str]:
    """Id and key."""
    made = CliRunner().invoke(app, ["operators", "create", name])
    return made.stderr.split()[1], made.stdout.strip()


async def approve(data_dir: Path, content: str, *, contract: str) -> None:
    """What two operators do, in the embedded store of a data directory."""
    async with await open_store(None, data_dir) as store:
        operators = Operators(store, secrets.token_bytes)
        changes = PolicyChanges(store, operators)
        (li, _), (wang, _) = [await operators.create(name, role="viewer") for name in ("Li Hua", "Wang Fang")]
        proposal = await changes.propose(li, content.encode(), expected_contract=contract)
        await changes.approve(wang, proposal.digest, expected_contract=contract)


def test_shipped_policies_are_listed_and_shown(own_data: Path) -> None:
    listed = run("list")
    assert (listed.exit_code, all(name in listed.stdout for name in names())) == (0, True)
    shown = run("show", OTHER)
    assert (shown.exit_code, "similarity" in shown.stdout) == (0, True)
    assert run("show", OTHER, "--toml").stdout == shipped_text(OTHER)
    unknown = run("show", "none")
    assert (unknown.exit_code, "policy_unknown" in unknown.stderr) == (2, True)


def test_an_own_policy_is_checked(own_data: Path, file: Path) -> None:
    good = run("check", str(file))
    assert (good.exit_code, file_digest(OWN.encode()) in good.stdout, "usable" in good.stdout) == (0, True, True)
    file.write_text(f"{OWN}sharpnes = 1\nno_face_share = 35\n")
    bad = run("check", str(file))
    assert (bad.exit_code, "`sharpnes`" in bad.stderr, "`no_face_share` is 35" in bad.stderr) == (1, True, True)
    missing = run("check", str(file.with_name("none.toml")))
    assert (missing.exit_code, "file_unreadable" in missing.stderr) == (2, True)


def test_a_policy_for_other_models_is_told(
    own_data: Path, file: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.commands.policy.open_engine", lambda _: of_other_models(engine))
    checked = run("check", str(file))
    assert (checked.exit_code, "policy_contract_mismatch" in checked.stderr) == (1, True)


def of_other_models(engine: Engine) -> Engine:
    return replace(engine, embedder=replace(engine.embedder, contract="other/1"))


def test_two_operators_put_a_policy_in_force(own_data: Path, file: Path, tmp_path: Path) -> None:
    (li, li_key), (wang, wang_key) = new_operator("Li Hua"), new_operator("Wang Fang")
    proposed = run("propose", str(file), "--as", li, key=li_key)
    digest = proposed.stdout.strip()
    assert (proposed.exit_code, digest) == (0, file_digest(OWN.encode()))
    assert li_key not in proposed.output
    own = run("approve", digest, "--as", li, key=li_key)
    assert (own.exit_code, "proposal_own" in own.stderr) == (2, True)
    borrowed = run("approve", digest, "--as", wang, key=li_key)
    assert (borrowed.exit_code, "operator_key_invalid" in borrowed.stderr) == (2, True)
    assert "mine: pending" in run("history").stdout

    copy, key_file = tmp_path / "copy.toml", tmp_path / "wang.key"
    key_file.write_text(f"{wang_key}\n")
    copy.write_text(OWN.replace("0.7", "0.1"))
    changed = run("approve", digest, "--as", wang, "--key", str(key_file), "--file", str(copy))
    assert (changed.exit_code, "policy_changed" in changed.stderr) == (2, True)
    copy.write_text(OWN)
    approved = run("approve", digest, "--as", wang, "--key", str(key_file), "--file", str(copy))
    assert (approved.exit_code, "in force from the next start" in approved.stdout) == (0, True)

    told = run("history").stdout
    assert all(part in told for part in ("mine: in force", digest, f"Li Hua ({li})", f"Wang Fang ({wang})"))
    listed, shown = run("list").stdout, run("show", DEFAULT).stdout
    assert ("own" in listed, "in force (mine)" in shown) == (True, True)
    for arguments in (("list",), ("show", "mine")):
        contradicted = CliRunner(env={"HEYAN_POLICY": DEFAULT}).invoke(app, ["policy", *arguments])
        assert (contradicted.exit_code, "policy_conflict" in contradicted.stderr) == (0, True)
    assert run("show", "mine", "--toml").stdout == OWN
    withdrawn = run("withdraw", digest, "--as", li, key=li_key)
    assert (withdrawn.exit_code, "proposal_decided" in withdrawn.stderr) == (2, True)


def test_a_proposal_is_withdrawn(own_data: Path, file: Path) -> None:
    li, key = new_operator("Li Hua")
    digest = run("propose", str(file), "--as", li, key=key).stdout.strip()
    assert run("withdraw", digest, "--as", li, key=key).exit_code == 0
    assert "mine: withdrawn" in run("history").stdout


# The start


async def started(settings: Settings, engine: Engine) -> str:
    """The version by which a service that starts now decides."""
    async with open_services(settings, public_url="http://127.0.0.1:1", engine=engine) as services:
        assert decides_by(services) == {services.policy.version}
        return services.policy.version


def decides_by(services: Services) -> set[str]:
    return {services.sessions.policy.version, services.simulations.sessions.policy.version}


async def test_the_service_starts_by_what_was_approved(engine: Engine, tmp_path: Path) -> None:
    assert await started(Settings(data_dir=tmp_path, policy=OTHER), engine) == OTHER
    await approve(tmp_path, OWN, contract=engine.contract)
    assert await started(Settings(data_dir=tmp_path), engine) == "mine"
    assert await started(Settings(data_dir=tmp_path, policy="mine"), engine) == "mine"


@pytest.mark.parametrize("named", [OTHER, DEFAULT])
async def test_the_service_does_not_start_when_the_environment_says_otherwise(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    await approve(tmp_path, OWN, contract=engine.contract)
    monkeypatch.setenv("HEYAN_POLICY", named)
    with pytest.raises(PolicyError, match="HEYAN_POLICY") as raised:
        await started(Settings(data_dir=tmp_path), engine)
    assert raised.value.code == "policy_conflict"
    findings = {each.check: each for each in await asyncio.to_thread(diagnose, Settings(data_dir=tmp_path))}
    assert (findings["policy"].ok, findings["policy"].found) == (False, "policy_conflict")


@pytest.mark.parametrize("own", [False, True])
async def test_the_service_does_not_start_by_a_policy_for_other_models(
    engine: Engine, tmp_path: Path, own: bool
) -> None:
    if own:
        await approve(tmp_path, OWN, contract=engine.contract)
    with pytest.raises(PolicyError, match="other/1") as raised:
        await started(Settings(data_dir=tmp_path), of_other_models(engine))
    assert raised.value.code == ("policy_contract_mismatch" if own else "policy_missing")


async def test_doctor_tells_the_policy_in_force(engine: Engine, tmp_path: Path) -> None:
    await approve(tmp_path, OWN, contract=engine.contract)
    findings = {each.check: each for each in await asyncio.to_thread(diagnose, Settings(data_dir=tmp_path))}
    assert (findings["policy"].ok, findings["policy"].found) == (True, f"mine for {engine.contract}")


# Replay


@pytest.fixture
async def decided(embedded_api: RunningApi, portraits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> RunningApi:
    """A service with two decisions, whose data directory is the command line's too."""
    monkeypatch.setenv("HEYAN_DATA_DIR", str(embedded_api.services.settings.data_dir))
    filing = await embedded_api.desk.open(registrant(portraits["person_a_1"]))
    phone, sessions = Phone(http=embedded_api.http, actor=Actor, rng=None), embedded_api.services.sessions
    for evidence in (IMPOSTOR, CONVINCING):
        attempt = await phone.open(await phone.agree(await embedded_api.desk.invite(filing, filing.subjects[0])))
        await sessions.finish(await sessions.claim(attempt.session_id, attempt.secret), evidence)
    return embedded_api


async def test_a_candidate_is_replayed_beside_the_service(decided: RunningApi, file: Path, tmp_path: Path) -> None:
    counts = tmp_path / "counts.json"
    result = await asyncio.to_thread(run, "replay", str(file), "--json", str(counts))
    assert result.exit_code == 0
    assert "2 sessions of 1 cases judged anew by mine: 1 would have another outcome" in result.stdout
    assert "0 sessions could not be replayed" in result.stdout
    found = json.loads(counts.read_text())
    assert (found["replayed"], found["changed"], found["candidate"]["version"]) == (2, 1, "mine")
    assert {(each["before"]["outcome"], each["after"]["outcome"], each["count"]) for each in found["decisions"]} == {
        ("accepted", "rejected", 1),
        ("rejected", "rejected", 1),
    }
    assert await decided.services.store.audit(OPERATORS_CHAIN) == ()


def test_a_candidate_with_faults_is_not_replayed(own_data: Path, file: Path, tmp_path: Path) -> None:
    private = tmp_path / "auditor.jwk"
    CliRunner().invoke(app, ["audit", "keygen", str(private)])
    file.write_text(f"{OWN}sharpnes = 1\n")
    bad = run("replay", str(file), "--key", str(private))
    assert (bad.exit_code, "policy_invalid" in bad.stderr) == (2, True)
    missing = run("replay", DEFAULT, "--key", str(tmp_path / "none.jwk"))
    assert (missing.exit_code, "key_damaged" in missing.stderr) == (2, True)


async def test_what_could_not_be_replayed_is_said(decided: RunningApi, tmp_path: Path) -> None:
    private = tmp_path / "auditor.jwk"
    await asyncio.to_thread(CliRunner().invoke, app, ["audit", "keygen", str(private)])
    result = await asyncio.to_thread(run, "replay", DEFAULT, "--key", str(private))
    assert (result.exit_code, "2 sealed_for_another" in result.stdout) == (0, True)
    later = await asyncio.to_thread(run, "replay", DEFAULT, "--since", "2999-01-01", "--json", "-")
    assert (later.exit_code, json.loads(later.stdout)["replayed"]) == (0, 0)
    unknown = await asyncio.to_thread(run, "replay", "no-such-policy")
    assert (unknown.exit_code, "policy_unknown" in unknown.stderr) == (2, True)
