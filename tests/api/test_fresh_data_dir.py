"""Whatever makes the data directory first, nobody else can look into it."""

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tiny_pack import write_pack
from typer.testing import CliRunner

from api.certificates import server_certificate
from api.cli import app
from api.doctor import check_writable
from verify.embedded import EmbeddedValkey
from verify.signing import load_keys


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that is not there, nor the one that it is to be in, for a user whose files others may read."""
    folder = tmp_path / "above" / "data"
    monkeypatch.setenv("HEYAN_DATA_DIR", str(folder))
    before = os.umask(0o022)
    yield folder
    os.umask(before)


def test_the_weights_are_prepared_into_a_private_directory(fresh: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["models", "prepare", "--pack", str(write_pack(tmp_path / "pack"))])
    assert done.exit_code == 0, done.output
    assert check_writable(fresh).ok


def test_keys_are_made_in_a_private_directory(fresh: Path) -> None:
    load_keys(fresh, entropy=secrets.token_bytes)
    assert check_writable(fresh).ok


def test_certificates_are_made_in_a_private_directory(fresh: Path) -> None:
    server_certificate(folder=fresh / "tls", names=("localhost",), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert check_writable(fresh).ok


async def test_the_store_is_made_in_a_private_directory(fresh: Path) -> None:
    store = EmbeddedValkey(fresh / "store")
    await store.start(supervise=False)
    await store.close()
    assert check_writable(fresh).ok


def test_a_directory_that_is_there_stays_as_the_operator_made_it(fresh: Path) -> None:
    fresh.mkdir(parents=True, mode=0o750)
    load_keys(fresh, entropy=secrets.token_bytes)
    assert fresh.stat().st_mode & 0o777 == 0o750
