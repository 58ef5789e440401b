"""What `heyan tune` keeps stands in for settings that nobody has given, on the machine where it was measured."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.diagnosis import check_processors
from api.processors import usable_processors
from api.settings import SettingsError, load_settings, outdated_tuning
from api.tuned import FILE, Tuned, write_tuned

CORES = usable_processors()
FOUND = Tuned(workers=3, threads=2, cores=CORES, provider="auto", pack="open")


@pytest.fixture(autouse=True)
def own_data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path) -> Path:
    (tmp_path / "models").symlink_to(data_dir / "models")
    monkeypatch.setenv("HEYAN_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("HEYAN_WORKERS", raising=False)
    monkeypatch.delenv("HEYAN_THREADS", raising=False)
    return tmp_path


def test_what_was_measured_is_taken_where_nothing_is_set(own_data_dir: Path) -> None:
    write_tuned(own_data_dir, FOUND)
    settings = load_settings()
    assert (settings.workers, settings.threads) == (3, 2)


@pytest.mark.parametrize("name", ["HEYAN_WORKERS", "HEYAN_THREADS"])
def test_a_setting_that_is_given_wins_and_the_other_keeps_its_default(
    own_data_dir: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_tuned(own_data_dir, FOUND)
    monkeypatch.setenv(name, "5")
    settings = load_settings()
    expected = {"HEYAN_WORKERS": (5, 1), "HEYAN_THREADS": (CORES, 5)}
    assert (settings.workers, settings.threads) == expected[name]


@pytest.mark.parametrize(
    "other",
    [
        Tuned(workers=3, threads=2, cores=CORES + 1, provider="auto", pack="open"),
        Tuned(workers=3, threads=2, cores=CORES, provider="cuda", pack="open"),
        Tuned(workers=3, threads=2, cores=CORES, provider="auto", pack="other"),
        Tuned(workers=0, threads=2, cores=CORES, provider="auto", pack="open"),
    ],
)
def test_what_was_measured_elsewhere_does_not_count(own_data_dir: Path, other: Tuned) -> None:
    write_tuned(own_data_dir, other)
    settings = load_settings()
    assert (settings.workers, settings.threads) == (CORES, 1)


def test_the_doctor_says_that_what_was_measured_with_other_processors_does_not_count(
    own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tuned(own_data_dir, FOUND)
    assert "does not count" not in check_processors(load_settings()).found
    write_tuned(own_data_dir, replace(FOUND, cores=CORES + 1))
    assert f"with {CORES + 1} does not count" in check_processors(load_settings()).found
    monkeypatch.setenv("HEYAN_WORKERS", "1")
    assert outdated_tuning(load_settings()) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"workers": "many"}'])
def test_a_damaged_file_is_named_and_how_to_mend_it(own_data_dir: Path, content: bytes) -> None:
    (own_data_dir / FILE).write_bytes(content)
    with pytest.raises(SettingsError, match="heyan tune"):
        load_settings()


def test_the_command_measures_keeps_and_says_what_it_chose(own_data_dir: Path) -> None:
    done = CliRunner().invoke(app, ["tune", "--seconds", "0.1", "--rounds", "1"])
    assert done.exit_code == 0, done.output
    assert "chosen" in done.output
    assert (own_data_dir / FILE).exists()
    settings = load_settings()
    assert CORES / 2 <= settings.workers * settings.threads <= 2 * CORES


def test_a_dry_run_keeps_nothing(own_data_dir: Path) -> None:
    done = CliRunner().invoke(app, ["tune", "--seconds", "0.1", "--rounds", "1", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert not (own_data_dir / FILE).exists()
