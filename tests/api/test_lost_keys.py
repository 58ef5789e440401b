"""Keys that were lost, or are another store's, and directories in which there never was a service."""

import asyncio
import json
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import time

import pytest
from begun import begin, begun
from running_service import RunningApi, registrant, running_api
from typer.testing import CliRunner, Result

from api.cli import app
from api.composition import any_store, begun_keys, begun_store, marks_at, open_store_of
from api.settings import Settings
from models.engine import Engine
from models.prepare import default_data_dir
from verify.connection import connect
from verify.errors import Unavailable
from verify.key_marks import NEEDED
from verify.signing import read_rings
from verify.store import Store

WEIGHTS = default_data_dir().absolute()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory, not made yet, that commands use."""
    folder = tmp_path / "data"
    monkeypatch.setenv("HEYAN_DATA_DIR", str(folder))
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


async def beside(*arguments: str) -> Result:
    return await asyncio.to_thread(run, *arguments)


def with_weights(home: Path) -> None:
    (home / "models").symlink_to(WEIGHTS / "models")


@asynccontextmanager
async def filed(home: Path, engine: Engine, photo: bytes) -> AsyncIterator[RunningApi]:
    """A service that holds a case, under a checkpoint."""
    async with running_api(Settings(data_dir=home, port=0, workers=2), engine) as api:
        await api.desk.open(registrant(photo))
        await api.services.sequencer.round()
        yield api


async def refused(home: Path) -> str:
    """Why a service does not start."""
    with pytest.raises(Unavailable) as caught:
        await begin(Settings(data_dir=home))
    assert caught.value.code == "keys_foreign"
    assert str(home / "keys") in caught.value.for_operators
    return str(caught.value)


@pytest.mark.parametrize("lost", [*((name,) for name in NEEDED), ("auditor.jwk",), NEEDED])
def test_lost_keys_are_never_made_anew(home: Path, lost: tuple[str, ...]) -> None:
    begun(home)
    before = {path.name: path.read_bytes() for path in (home / "keys").iterdir()}
    for name in lost:
        (home / "keys" / name).unlink()
    why = asyncio.run(refused(home))
    assert [name for name in lost if f"{name}: missing" not in why] == []
    assert not any((home / "keys" / name).exists() for name in lost)
    for name in lost:
        (home / "keys" / name).write_bytes(before[name])
    begun(home)


@pytest.mark.parametrize("name", [*NEEDED, "auditor.jwk"])
def test_keys_of_another_store_are_found_out(home: Path, tmp_path: Path, name: str) -> None:
    begun(home)
    shutil.copy(begun(tmp_path / "other") / "keys" / name, home / "keys" / name)
    assert f"{name}: another" in asyncio.run(refused(home))
    with_weights(home)
    doctor = run("doctor")
    assert (doctor.exit_code, "keys_foreign" in doctor.stdout) == (1, True)
    if name != "auditor.jwk":
        stopped = run("store", "restored")
        assert (stopped.exit_code, "keys_foreign" in stopped.stderr) == (2, True)


def test_an_empty_shelf_in_place_of_the_stores_is_found_out(home: Path) -> None:
    begun(home)
    (home / "keys" / "shelf.db").write_bytes(b"")
    assert "shelf.db: another" in asyncio.run(refused(home))


async def test_a_running_service_whose_keys_are_gone_is_not_ready(embedded_api: RunningApi) -> None:
    folder = embedded_api.services.settings.data_dir / "keys"
    assert (await embedded_api.http.get("/readyz")).status_code == 200
    (folder / "person.key").rename(folder / "elsewhere")
    ready = await embedded_api.http.get("/readyz")
    (ill,) = [check for check in ready.json()["checks"] if not check["ok"]]
    assert (ready.status_code, ill["name"], "person.key: missing" in ill["detail"]) == (503, "keys", True)
    assert str(folder) not in ready.text
    (folder / "elsewhere").rename(folder / "person.key")
    assert (await embedded_api.http.get("/readyz")).status_code == 200


def test_keys_that_were_replaced_by_operators_are_the_stores_and_old_copies_are_not(home: Path) -> None:
    settings = Settings(data_dir=begun(home))
    old = (home / "keys" / "live.ring").read_bytes()
    ring = read_rings(home)["live"]
    ring.rotate(now=time())  # signs in ten minutes: nothing is lost with it yet
    begun(home)
    kept = (home / "keys" / "live.ring").read_bytes()
    (home / "keys" / "live.ring").write_bytes(old)
    begun(home)
    (home / "keys" / "live.ring").write_bytes(kept)

    async def ten_minutes_later() -> None:
        async with any_store(settings) as store:
            await marks_at(settings, store).settle(entropy=secrets.token_bytes, now=time() + 601)

    asyncio.run(ten_minutes_later())
    (home / "keys" / "live.ring").write_bytes(old)
    assert "live.ring: another" in asyncio.run(refused(home))


async def test_replicas_that_start_together_with_keys_of_their_own_do_not_both_go_on(
    api_store_url: str, tmp_path: Path
) -> None:
    async with Store(connect(api_store_url), prefix=f"test-{secrets.token_hex(6)}") as store:
        homes = [Settings(data_dir=tmp_path / name) for name in ("a", "b")]
        ended = await asyncio.gather(*(begun_keys(each, store) for each in homes), return_exceptions=True)
    assert sorted(getattr(each, "code", "") for each in ended) == ["", "keys_foreign"]


async def test_a_store_of_before_there_were_marks_takes_its_keys_and_no_new_ones(
    home: Path, engine: Engine, portraits: dict[str, bytes]
) -> None:
    async with filed(home, engine, portraits["person_a_1"]) as api:
        await api.services.store.ask("DEL", "key_marks")
    (home / "keys" / "person.key").rename(home / "person.key")
    assert "person.key: missing" in await refused(home)
    (home / "person.key").rename(home / "keys" / "person.key")
    await begin(Settings(data_dir=home))
    (home / "keys" / "person.key").unlink()
    assert "person.key: missing" in await refused(home)


async def test_the_marks_tell_nothing_of_a_secret(home: Path) -> None:
    settings = Settings(data_dir=home)
    await begin(settings)
    async with open_store_of(settings) as store:
        stored = json.loads((await store.get_record("key_marks", "all")) or b"")
    assert set(stored) == {*NEEDED, "auditor.jwk"}
    for name in ("wrapping.key", "person.key"):
        secret = (home / "keys" / name).read_bytes()
        assert not any(secret.hex() in mark or mark in secret.hex() for mark in stored[name])


async def test_a_service_goes_on_with_new_keys_only_if_it_is_told_to(
    home: Path, tmp_path: Path, engine: Engine, portraits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    jwks = tmp_path / "jwks.json"
    async with filed(home, engine, portraits["person_a_1"]) as api:
        jwks.write_text((await api.http.get("/.well-known/jwks.json")).text)
    assert "nothing was changed" in (await beside("store", "keys-lost")).stdout
    shutil.rmtree(home / "keys")
    refusal = await beside("store", "keys-lost")
    assert (refusal.exit_code, "jwks_invalid" in refusal.stderr, (home / "keys").exists()) == (2, True, False)
    done = await beside("store", "keys-lost", "--jwks", str(jwks))
    assert (done.exit_code, "wrapping.key" in done.stdout) == (0, True), done.output
    async with filed(home, engine, portraits["person_a_1"]) as api:
        assert (await api.http.get("/readyz")).status_code == 200
        published = {key["kid"] for key in (await api.http.get("/.well-known/jwks.json")).json()["keys"]}
        assert {key["kid"] for key in json.loads(jwks.read_text())["keys"]} < published
        newest = await api.services.checkpoints.newest()
        assert newest is not None and newest.claims.n >= 2
    audited = await beside("audit", "verify")
    assert audited.exit_code == 0, audited.output


async def test_nobody_goes_on_with_new_keys_while_a_service_runs(
    embedded_api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = embedded_api.services.settings.data_dir
    monkeypatch.setenv("HEYAN_DATA_DIR", str(folder))
    (folder / "keys" / "person.key").unlink()
    refusal = await beside("store", "keys-lost")
    assert (refusal.exit_code, "store_in_use" in refusal.stderr) == (2, True)
    assert not (folder / "keys" / "person.key").exists()


COMMANDS = (
    ("audit", "verify"),
    ("audit", "unseal", "case_aaaaaaaaaaaaaaaa", "--key", "AUDITOR"),
    ("jwks",),
    ("keys", "create", "--client", "registry"),
    ("keys", "list"),
    ("keys", "rotate", "--key", "test"),
    ("officers", "add", "Li"),
    ("operators", "create", "Li"),
    ("policy", "list"),
    ("store", "restored"),
    ("store", "migrate"),
    ("store", "keys-lost"),
    ("subjects", "erase", "case_aaaaaaaaaaaaaaaa", "sub_a"),
    ("webhooks", "list"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_where_there_is_no_service_commands_make_none(home: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    run("audit", "keygen", str(tmp_path / "auditor.jwk"))
    stopped = run(*(str(tmp_path / "auditor.jwk") if word == "AUDITOR" else word for word in command))
    assert (stopped.exit_code, "data_missing" in stopped.stderr) == (2, True), stopped.output
    assert f"HEYAN_DATA_DIR={home}" in stopped.stderr
    assert not home.exists() or not any(home.iterdir())


async def test_a_store_by_url_that_holds_nothing_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with begun_store(Settings(data_dir=tmp_path)) as empty:
        monkeypatch.setenv("HEYAN_STORE_URL", empty._embedded.url)
        monkeypatch.setenv("HEYAN_DATA_DIR", str(tmp_path / "data"))
        await empty.ask("DEL", "schema")
        stopped = await beside("keys", "create", "--client", "registry")
    assert (stopped.exit_code, "HEYAN_STORE_URL is empty" in stopped.stderr) == (2, True), stopped.output


def test_the_doctor_makes_nothing(home: Path) -> None:
    home.mkdir(mode=0o700)
    with_weights(home)
    found = run("doctor")
    assert found.exit_code == 0, found.stdout
    assert "the first start makes it" in " ".join(found.stdout.replace("│", " ").split())
    assert [path.name for path in home.iterdir()] == ["models"]


def test_a_store_that_holds_nothing_is_not_called_intact(home: Path) -> None:
    begun(home)
    told = run("audit", "verify")
    assert (told.exit_code, "nothing is recorded" in told.stdout, "intact" in told.stdout) == (0, True, False)
    assert json.loads(run("audit", "verify", "--json").stdout)["empty"] is True
