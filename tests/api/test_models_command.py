"""`heyan models`, with packs that have terms, and what refuses to start without them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_pack import write_pack
from typer.testing import CliRunner, Result

from api.cli import app
from api.diagnosis import check_weights
from api.settings import load_settings
from models.prepare import prepare
from models.processor import processor_name

TERMS = "for research alone"


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("HEYAN_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def pack(tmp_path: Path) -> str:
    return str(write_pack(tmp_path / "pack", terms=TERMS))


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=answer)


Using = Callable[[str], Result]


@pytest.mark.parametrize(
    "using",
    [
        lambda pack: run("models", "prepare", "--pack", pack),
        lambda _: run("serve", "--port", "0"),
        lambda _: run("compare", __file__, __file__),
        lambda _: run("tune"),
    ],
)
def test_nothing_uses_a_pack_whose_terms_nobody_has_accepted(
    own_data: Path, pack: str, monkeypatch: pytest.MonkeyPatch, using: Using
) -> None:
    monkeypatch.setenv("HEYAN_PACK", pack)
    refused = using(pack)
    assert refused.exit_code == 2
    assert "licence_not_accepted" in refused.stderr
    assert f"heyan models accept-licence {pack}" in refused.stderr
    assert "Traceback" not in refused.output


def test_the_terms_are_shown_and_whoever_accepts_is_recorded_once(own_data: Path, pack: str) -> None:
    declined = run("models", "accept-licence", pack, answer="n\n")
    assert (declined.exit_code, TERMS in declined.stdout) == (2, True)
    assert not (own_data / "models").exists()
    accepted = run("models", "accept-licence", pack, "--as", "Li Hua", answer="y\n")
    assert (accepted.exit_code, "Li Hua" in accepted.stdout) == (0, True)
    again = run("models", "accept-licence", pack)
    assert (again.exit_code, "Li Hua" in again.stdout, TERMS in again.stdout) == (0, True, False)
    prepared = run("models", "prepare", "--pack", pack)
    assert (prepared.exit_code, prepared.stdout.count(" ready: ")) == (0, 2)
    assert run("models", "verify", "--pack", pack).stdout.count("intact") == 2


def test_scripts_accept_without_being_asked(own_data: Path, pack: str) -> None:
    assert run("models", "accept-licence", pack, "--yes").exit_code == 0


def test_an_account_without_a_name_is_asked_for_one(own_data: Path, pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("api.commands.models.getuser", nobody)
    refused = run("models", "accept-licence", pack, "--yes")
    assert (refused.exit_code, "--as NAME" in refused.stderr) == (2, True)
    assert run("models", "accept-licence", pack, "--yes", "--as", "Li Hua").exit_code == 0


def test_a_pack_without_terms_says_so(own_data: Path, tmp_path: Path) -> None:
    free = str(write_pack(tmp_path / "free"))
    assert "no terms" in run("models", "accept-licence", free).stdout
    assert run("models", "prepare", "--pack", free).exit_code == 0


def test_a_pack_of_ones_own_is_listed_while_it_is_in_use(
    own_data: Path, pack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "squares" not in run("models", "list").stdout
    monkeypatch.setenv("HEYAN_PACK", pack)
    listed = run("models", "list").stdout
    assert all(name in listed for name in ("squares", "sface_2021dec", "w600k_r50"))


def test_without_a_policy_for_its_weights_no_service_starts(
    own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = str(write_pack(tmp_path / "free"))
    assert run("models", "prepare", "--pack", free).exit_code == 0
    monkeypatch.setenv("HEYAN_PACK", free)
    refused = run("serve", "--port", "0")
    assert (refused.exit_code, "policy_missing" in refused.stderr) == (2, True)
    assert "heyan-bench calibrate" in refused.stderr
    monkeypatch.setenv("HEYAN_POLICY", "open-5")
    mismatched = run("serve", "--port", "0")
    assert (mismatched.exit_code, "policy_contract_mismatch" in mismatched.stderr) == (2, True)


def test_a_manifest_with_a_fault_is_named(own_data: Path, pack: str) -> None:
    manifest = Path(pack, "heyan-pack.toml")
    manifest.write_text(manifest.read_text("utf-8").replace('licence = "none"', "", 1), "utf-8")
    refused = run("models", "prepare", "--pack", pack)
    assert (refused.exit_code, "manifest_invalid" in refused.stderr, "licence" in refused.stderr) == (2, True, True)


def test_the_doctor_names_a_pack_that_is_not_there(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_PACK", "./nowhere")
    found = run("doctor")
    assert found.exit_code != 0
    assert "pack_unknown" in found.output
    assert "Traceback" not in found.output


def test_what_8_bit_weights_gave_is_told() -> None:
    assert re.search(r"8-bit weights \d\.\d\d of the time: (not )?chosen", run("models", "prepare").stdout)
    assert "8-bit" in run("models", "list").stdout


def test_the_doctor_says_that_another_machine_has_tried_the_weights(own_data: Path, tmp_path: Path) -> None:
    settings = load_settings(pack=str(write_pack(tmp_path / "free")))
    models = prepare(own_data, settings.pack)
    assert check_weights(settings).found == f"pack {settings.pack} intact"
    (tried,) = (model for model in models if model.trial is not None)
    tried.trial_record.write_bytes(tried.trial_record.read_bytes().replace(processor_name().encode(), b"another"))
    told = check_weights(settings)
    assert told.ok
    assert "another machine" in told.found
