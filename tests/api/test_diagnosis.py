"""What stops the start is found by `heyan doctor` before, and doctor makes nothing."""

from pathlib import Path

import pytest
from begun import begun
from typer.testing import CliRunner, Result

from api.cli import app
from models.prepare import default_data_dir


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def words(text: str) -> str:
    """Without the lines of tables."""
    return " ".join(text.replace("│", " ").split())


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with weights, in which nothing was started yet."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "models").symlink_to(default_data_dir().absolute() / "models")
    monkeypatch.setenv("HEYAN_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def own_data(fresh: Path) -> Path:
    """The same with keys."""
    return begun(fresh)


def test_nothing_is_made(fresh: Path) -> None:
    found = run("doctor")
    assert found.exit_code == 0, found.output
    assert [path.name for path in fresh.iterdir()] == ["models"]
    assert "0 of 7 intact; a first start makes live.ring" in words(found.output)


def test_a_data_directory_that_is_not_there_yet_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", str(tmp_path / "not" / "yet"))
    assert "not there yet" in words(run("doctor").output)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["live.ring", "wrapping.key", "shelf.db", "person.key", "auditor.jwk"])
def test_a_damaged_key_stops_the_start_and_is_found_before(own_data: Path, name: str) -> None:
    (own_data / "keys" / name).write_bytes(b"x" * 4096)
    found, start = run("doctor"), run("serve", "--port", "0")
    assert (found.exit_code, start.exit_code) == (1, 2)
    assert f"keys/{name} !! key_damaged" in words(found.output).replace("│", "")
    assert "key_damaged" in start.stderr


@pytest.mark.parametrize(
    ("settings", "check", "told"),
    [
        ({"HEYAN_AUDITOR_KEY": "/nope"}, "auditor key", "/nope is not there"),
        (
            {"HEYAN_SMS_URL": "http://localhost/", "HEYAN_PUBLIC_URL": "http://localhost", "HEYAN_SMS_BODY": "/nope"},
            "channels",
            "HEYAN_SMS_BODY",
        ),
        (
            {
                "HEYAN_AUTHORITY_URL": "https://localhost",
                "HEYAN_AUTHORITY_CA": "/nope",
                "HEYAN_AUTHORITY_CERTIFICATE": "/nope",
                "HEYAN_AUTHORITY_KEY": "/nope",
            },
            "authority",
            "one is missing",
        ),
        ({"HEYAN_POLICY": "nope"}, "policy", "nope"),
    ],
)
def test_a_file_of_the_settings_that_stops_the_start_is_found_before(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], check: str, told: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    found, start = run("doctor"), run("serve", "--port", "0")
    assert (found.exit_code, start.exit_code) == (1, 2), start.output
    assert f"{check} !!" in words(found.output)
    assert told in words(found.output)
    assert told in start.stderr


def test_a_damaged_certificate_authority_is_found_before(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_TLS", "true")
    assert "is made by the next start" in words(run("doctor").output)
    (fresh / "tls").mkdir()
    for name in ("ca.pem", "ca.key"):
        (fresh / "tls" / name).write_text("text")
    found, start = run("doctor"), run("serve", "--port", "0")
    assert "tls !! certificate_damaged" in words(found.output)
    assert (start.exit_code, "certificate_damaged" in start.stderr) == (2, True)
