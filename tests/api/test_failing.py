"""What the system refuses is told in one line, with the path, the reason and what to do."""

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from begun import begun
from typer.testing import CliRunner, Result

from api.cli import app
from api.commands.failing import explained
from api.system_errors import unusable
from benchmarks.store_servers import made, running_server
from verify.store_faults import place_of

MAKING = ("models prepare", "models accept-licence insightface:buffalo_l --yes")
USING = (
    "keys list",
    "keys rotate --key test",
    "jwks",
    "audit verify",
    "subjects erase case_1 sub_1",
    "store restored",
    "webhooks list",
    "policy history",
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@contextmanager
def no_room() -> Iterator[None]:
    """No file grows beyond 16 bytes, which is as near to a full disk as every machine can come."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("command", MAKING)
def test_a_data_directory_that_cannot_be_made_is_named(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", "/dev/null/heyan")
    result = run(*command.split())
    assert result.exit_code == 2
    assert "file_unusable: /dev/null" in result.stderr
    assert "HEYAN_DATA_DIR" in result.stderr
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", USING)
def test_a_data_directory_without_a_service_is_named(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", "/dev/null/heyan")
    result = run(*command.split())
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (2, True)
    assert "data_missing: " in result.stderr
    assert "HEYAN_DATA_DIR=/dev/null/heyan" in result.stderr


def test_a_key_that_is_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", str(begun(tmp_path)))
    key = tmp_path / "keys" / "wrapping.key"
    key.unlink()
    key.mkdir()
    assert f"file_unusable: {key}: Is a directory" in run("store", "restored").stderr


def test_a_disk_without_room_is_named_where_the_system_names_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", str(tmp_path))
    with no_room():
        result = run("models", "accept-licence", "insightface:buffalo_l", "--yes")
    assert (result.exit_code, f"file_unusable: a file in {tmp_path}" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "a file in /data: No space left on device; make room"),
        (OSError(errno.EACCES, "Permission denied", "/data/keys"), "/data/keys: Permission denied; see who owns it"),
        (OSError(errno.EACCES, "Permission denied", b"/data/keys"), "/data/keys: Permission denied; see who owns it"),
        (OSError(errno.ENOTDIR, "Not a directory", "/data"), "/data: Not a directory; give a path"),
    ],
)
def test_the_advice_is_of_what_is_the_matter(error: OSError, told: str) -> None:
    assert unusable(error, data_dir=Path("/data")).startswith(told)


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "Broken pipe"), TimeoutError()])
def test_what_is_no_file_s_fault_is_not_called_so(error: OSError) -> None:
    with pytest.raises(type(error)), explained():
        raise error


def test_half_a_pair_of_the_auditor_stays_nowhere(tmp_path: Path) -> None:
    key = tmp_path / "auditor.jwk"
    with no_room():
        failed = run("audit", "keygen", str(key))
    assert (failed.exit_code, f"file_unwritable: {key}: File too large" in failed.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
    assert run("audit", "keygen", str(key)).exit_code == 0
    again = run("audit", "keygen", str(key))
    assert (again.exit_code, "File exists" in again.stderr, key.stat().st_size > 0) == (2, True, True)


@pytest.mark.parametrize("command", ["keys list", "audit verify", "doctor"])
def test_a_store_that_refuses_the_password_is_named_without_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", str(begun(tmp_path / "data")))
    with running_server(made(tmp_path / "server")) as server:
        place = place_of(server.url)
        monkeypatch.setenv("HEYAN_STORE_URL", f"redis://:hunter2@{place}/0")
        result = run(*command.split())
    told = " ".join(result.output.replace("│", " ").split())
    assert result.exit_code in {1, 2}
    assert f"HEYAN_STORE_URL {place}: the password was refused" in told
    assert "hunter2" not in told
