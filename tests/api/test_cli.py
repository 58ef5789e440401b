import json
from pathlib import Path

import pytest
from begun import begun
from PIL import Image, ImageFilter
from typer.testing import CliRunner, Result

from api.cli import app
from models.face_quality.assessment import MEASURES
from models.prepare import default_data_dir


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory for keys and store, with the weights that are there already."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "models").symlink_to(default_data_dir().absolute() / "models")
    monkeypatch.setenv("HEYAN_DATA_DIR", str(folder))
    return begun(folder)


@pytest.fixture
def photos(tmp_path: Path, portraits: dict[str, bytes]) -> dict[str, str]:
    paths = {name: tmp_path / f"{name}.jpg" for name in portraits}
    for name, path in paths.items():
        path.write_bytes(portraits[name])
    return {name: str(path) for name, path in paths.items()}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(("other", "match", "code"), [("person_a_2", True, 0), ("impostor_1", False, 1)])
def test_comparing_answers_for_machines(
    own_data: Path, photos: dict[str, str], other: str, match: bool, code: int
) -> None:
    result = run("compare", photos["person_a_1"], photos[other], "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["match"]) == (code, match)
    assert (report["similarity"] >= report["threshold"]) == match
    assert report["reason"] == ("match" if match else "mismatch")


def test_comparing_tells_of_both_photos_quality(own_data: Path, photos: dict[str, str], tmp_path: Path) -> None:
    blurred = tmp_path / "blurred.jpg"
    Image.open(photos["person_b_1"]).filter(ImageFilter.GaussianBlur(7)).save(blurred, quality=95)
    told = json.loads(run("compare", photos["person_b_2"], str(blurred), "--json").stdout)["quality"]
    good, bad = (each["components"] for each in told)
    assert set(good) == set(bad) == set(MEASURES)
    assert (good["sharpness"]["status"], bad["sharpness"]["status"]) == ("good", "warning")
    assert good["sharpness"]["score"] > 80
    assert told[1]["unified_minimum"] <= bad["sharpness"]["score"] < 20
    shown = run("compare", photos["person_b_2"], str(blurred)).stdout
    assert "blurred.jpg: the face is blurred" in shown
    assert "unified minimum" in shown


def test_comparing_answers_for_people(own_data: Path, photos: dict[str, str]) -> None:
    result = run("compare", photos["person_a_1"], photos["person_a_2"])
    assert result.exit_code == 0
    assert "the same person" in result.stdout


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "image_empty"), (b"text", "image_unsupported"), (None, "file_unreadable")]
)
def test_comparing_names_what_is_wrong_with_a_file(
    own_data: Path, photos: dict[str, str], tmp_path: Path, content: bytes | None, code: str
) -> None:
    bad = tmp_path / "bad.jpg"
    if content is not None:
        bad.write_bytes(content)
    result = run("compare", photos["person_a_1"], str(bad), "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["reason"] == code
    assert code in result.stderr
    assert "Traceback" not in result.output


def test_a_key_is_made_listed_and_revoked(own_data: Path) -> None:
    made = run("keys", "create", "--client", "window 7")
    secret = made.stdout.strip()
    assert secret.startswith("hk_live_")
    client = next(word for word in made.stderr.split() if word.startswith("cli_"))
    listed = run("keys", "list").stdout
    assert "window 7" in listed
    assert secret not in listed
    assert run("keys", "revoke", client).exit_code == 0
    assert "revoked" in run("keys", "list").stdout


def test_a_key_is_replaced_by_another_of_the_same_client(own_data: Path) -> None:
    client = next(word for word in run("keys", "create", "--client", "acme").stderr.split() if word.startswith("cli_"))
    added = run("keys", "add", client)
    assert added.stdout.startswith("hk_live_")
    assert client in added.stderr
    first, second = (key_id_of(row) for row in run("keys", "list").stdout.splitlines() if client in row)
    assert second in added.stderr
    assert "1 of its keys still work" in run("keys", "revoke", first).stdout
    everything = run("keys", "revoke", client).stdout
    assert f"all keys (2) of client {client}" in everything
    assert "no key of it works any more" in everything
    unknown = run("keys", "add", "cli_x")
    assert (unknown.exit_code, "key_unknown" in unknown.stderr) == (2, True)


def key_id_of(row: str) -> str:
    return next(word for word in row.replace("│", " ").split() if word.startswith("key_"))


def test_a_second_client_of_one_name_is_told_from_a_further_key(own_data: Path) -> None:
    first, second = (run("keys", "create", "--client", "acme") for _ in range(2))
    client = next(word for word in first.stderr.split() if word.startswith("cli_"))
    assert "another client" not in first.stderr
    assert f"heyan keys add {client}" in second.stderr


def test_a_key_of_test_mode_says_so(own_data: Path) -> None:
    assert run("keys", "create", "--client", "x", "--test").stdout.startswith("hk_test_")


def test_an_unknown_scope_names_the_known_ones(own_data: Path) -> None:
    result = run("keys", "create", "--client", "x", "--scope", "everything")
    assert result.exit_code == 2
    assert "scope_unknown" in result.stderr
    assert "compare" in result.stderr


def test_links_back_lead_where_the_operator_says(own_data: Path) -> None:
    made = run("keys", "create", "--client", "window 8", "--return-origin", "https://Registry.example/")
    client = next(word for word in made.stderr.split() if word.startswith("cli_"))
    changed = run("keys", "return-origins", client, "https://a.example", "http://127.0.0.1:8421")
    assert "https://a.example, http://127.0.0.1:8421" in changed.stdout
    assert "nowhere" in run("keys", "return-origins", client).stdout
    refused = run("keys", "return-origins", client, "http://a.example")
    assert (refused.exit_code, "return_origin_invalid" in refused.stderr) == (2, True)


def test_models_are_listed_and_verified(own_data: Path) -> None:
    assert "sface_2021dec" in run("models", "list").stdout
    verified = run("models", "verify")
    assert (verified.exit_code, verified.stdout.count("intact")) == (0, 2)


def test_missing_models_are_a_fault(own_data: Path) -> None:
    (own_data / "models").unlink()
    assert run("models", "verify").exit_code == 1


def test_a_directory_without_the_weights_is_a_clear_error(
    own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_data / "models").unlink()
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("HEYAN_MODEL_PATH", str(tmp_path / "empty"))
    result = run("models", "prepare")
    assert result.exit_code == 2
    assert "model_source_unavailable" in result.stderr
    assert "Traceback" not in result.output


def test_the_doctor_finds_a_good_machine_well(own_data: Path) -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.stdout
    for check in ("python", "opencv", "provider", "weights", "store", "clock", "disk"):
        assert check in result.stdout


def test_the_doctor_says_what_to_do_about_missing_weights(own_data: Path) -> None:
    (own_data / "models").unlink()
    result = run("doctor")
    assert result.exit_code == 1
    assert "heyan models prepare" in " ".join(result.stdout.replace("│", " ").split())


def test_minimum_rules_that_cannot_be_used_are_found_and_stop_the_start(
    own_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEYAN_MINIMUM_RULES", str(own_data / "nowhere.toml"))
    found = run("doctor")
    assert found.exit_code == 1
    assert "minimum_rules_invalid" in found.stdout
    start = run("serve", "--port", "0")
    assert start.exit_code == 2
    assert "minimum_rules_invalid" in start.stderr


def test_public_keys_are_printed_without_the_private_part(own_data: Path) -> None:
    keys = json.loads(run("jwks").stdout)["keys"]
    assert [key["crv"] for key in keys] == ["Ed25519", "Ed25519"]
    assert all("d" not in key for key in keys)


def test_the_key_of_test_mode_is_rotated_and_the_old_one_stays_published(own_data: Path) -> None:
    before = {key["kid"] for key in json.loads(run("jwks", "--test").stdout)["keys"]}
    rotated = run("keys", "rotate", "--key", "test")
    assert (rotated.exit_code, "signs from" in rotated.stdout) == (0, True)
    after = {key["kid"] for key in json.loads(run("jwks", "--test").stdout)["keys"]}
    assert before < after


def test_an_unknown_setting_stops_everything(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_COLOUR", "red")
    result = run("serve")
    assert result.exit_code == 2
    assert "HEYAN_COLOUR" in result.stderr


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("heyan ")


def test_webhooks_are_listed_and_notices_replayed(own_data: Path) -> None:
    assert run("webhooks", "list").exit_code == 0
    unknown = run("webhooks", "replay", "whk_x", "--since", "2026-11-24T08:00:00Z")
    assert (unknown.exit_code, "webhook_unknown" in unknown.stderr) == (2, True)


@pytest.mark.parametrize("options", [[], ["--since", "2026-11-24", "--notice", "evt_x"], ["--since", "yesterday"]])
def test_a_replay_must_say_what_to_send(own_data: Path, options: list[str]) -> None:
    assert run("webhooks", "replay", "whk_x", *options).exit_code == 2


def test_the_weights_are_to_be_prepared_where_the_service_looks_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    folder.mkdir(mode=0o700)
    told = run("serve", "--data-dir", str(folder), "--port", "0")
    assert told.exit_code == 2
    assert f"HEYAN_DATA_DIR='{folder}' heyan models prepare" in told.stderr


def test_an_empty_directory_of_data_is_not_the_present_one(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own_data)
    (own_data / "models").unlink()
    monkeypatch.setenv("HEYAN_DATA_DIR", str(own_data / "elsewhere"))
    told = run("serve", "--data-dir", "", "--host", "", "--port", "0")
    assert f"is not prepared in {own_data / 'elsewhere'}; run `heyan models prepare`" in told.stderr
