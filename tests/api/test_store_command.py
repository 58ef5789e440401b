"""The form of the store where operators see it, and a store that is too new for this version."""

import asyncio
from pathlib import Path
from secrets import token_bytes

import pytest
from running_service import RunningApi
from typer.testing import CliRunner, Result

from api.cli import app
from verify import schema
from verify.connection import Script
from verify.schema import Migration, Schema, forms_of, migrate
from verify.signing import make_keys
from verify.store import open_store

NEXT = Schema(migrations=(Migration(what="nothing", pattern="no:*", convert=Script.of("return 'done'")),))


@pytest.fixture
def at_home(embedded_api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> RunningApi:
    """A service whose data directory is the command line's too."""
    monkeypatch.setenv("HEYAN_DATA_DIR", str(embedded_api.services.settings.data_dir))
    return embedded_api


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def told(api: RunningApi) -> str:
    checks = (await api.http.get("/readyz")).json()["checks"]
    return str(next(check for check in checks if check["name"] == "schema")["detail"])


@pytest.mark.parametrize("arguments", [("--dry-run",), ()])
async def test_a_store_of_the_newest_form_is_left_as_it_is(at_home: RunningApi, arguments: tuple[str, ...]) -> None:
    before = await forms_of(at_home.services.store)
    result = await run("store", "migrate", *arguments)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["the store holds form 1; processes that use it: 1", "nothing was changed"]
    assert await forms_of(at_home.services.store) == before
    assert (await told(at_home)) == "form 1 (this version reads 1 to 1); processes that use it: 1"


async def test_a_running_process_that_cannot_follow_stops_a_migration(at_home: RunningApi) -> None:
    with pytest.raises(schema.Conflict, match="cannot read form 2"):
        await migrate(at_home.services.store, done=lambda: None, schema=NEXT)
    assert (await at_home.http.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    "command", [("keys", "list"), ("store", "migrate"), ("store", "restored"), ("audit", "verify"), ("policy", "list")]
)
async def test_nothing_is_done_on_a_store_that_is_too_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    make_keys(tmp_path, entropy=token_bytes, own_auditor=True)
    async with await open_store(None, tmp_path) as store:
        await migrate(store, done=lambda: None, schema=NEXT)
        monkeypatch.setenv("HEYAN_DATA_DIR", str(tmp_path))
        result = await run(*command)
        assert result.exit_code == 2
        assert "store_schema_newer" in result.stderr
        assert "install the version" in result.stderr


async def test_a_process_whose_store_was_migrated_is_not_ready(
    at_home: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = at_home.services.store
    await store.ask("HSET", "schema", "newest", 2)
    monkeypatch.setattr(schema, "BEAT_SECONDS", 0.01)
    until = asyncio.get_running_loop().time() + 2 * 5.0
    while (answer := await at_home.http.get("/readyz")).status_code == 200:
        assert asyncio.get_running_loop().time() < until, "it goes on as if nothing had happened"
        await asyncio.sleep(0.05)
    assert answer.status_code == 503
    assert "install the version" in answer.text
    opened = await at_home.http.get("/v1/cases")
    assert (opened.status_code, opened.json()["code"]) == (503, "store_schema_newer")
