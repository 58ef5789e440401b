"""The guide's backups of a Redis or Valkey of its own bring back what was there.

Its commands are run as they stand, with the bundled server as `valkey-server`, and a few lines of ours as `valkey-cli`.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from redis import Redis
from running_service import running_api

from api.settings import Settings
from benchmarks.registration import Filing, Registrant, Registration
from benchmarks.store_servers import free_port
from models.engine import Engine
from verify.embedded import server_binary

GUIDE = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text("utf-8")
SECTION = GUIDE.partition("### A Redis or Valkey of its own")[2].partition("\n## ")[0]
WORDS, BACKUP, RESTORE, FROM_RDB = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
CLI = """#!{python}
import os, sys
from redis import Redis
from redis.exceptions import RedisError
_, fails, named, port, *command = sys.argv
assert (fails, named) == ("-e", "-p")
redis = Redis(port=int(port), password=os.environ["REDISCLI_AUTH"], protocol=2, decode_responses=True)
redis.response_callbacks.clear()
try:
    answer = redis.execute_command(*command)
except RedisError as error:
    sys.exit(None if command == ["SHUTDOWN"] else str(error))
print(*(answer if isinstance(answer, list) else [answer]), sep="\\n")
"""


@dataclass(frozen=True)
class Machine:
    """A directory in which the guide's commands are run, and the server that they find there."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    async def run(self, block: str) -> str:
        """What a block of the guide prints."""
        return await asyncio.to_thread(self._run, block)

    def _run(self, block: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEYAN_")}
        done = subprocess.run(
            ["/bin/sh", "-c", f"set -eu\n{WORDS}{block}"],
            check=False,
            cwd=self.folder,
            env={
                **kept,
                "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HEYAN_DATA_DIR": str(self.folder / "data"),
                "HEYAN_STORE_URL": self.url,
                "REDISCLI_AUTH": self.password,
                "STORE": str(self.folder / "store"),
                "STORE_PORT": str(self.port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    async def start(self, *settings: str, folder: str) -> None:
        await self.run(f'valkey-server valkey.conf --dir "$PWD/{folder}" {" ".join(settings)} --daemonize yes\nanswers')

    async def stop(self) -> None:
        await self.run("store SHUTDOWN\nwhile store PING > /dev/null 2>&1; do sleep 0.1; done")

    def size(self) -> int:
        with Redis(port=self.port, password=self.password) as redis:
            return int(redis.dbsize())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, free_port(), "hunter2")
    for place in ("bin", "data", "store"):
        (tmp_path / place).mkdir(mode=0o700)
    (tmp_path / "bin" / "valkey-server").symlink_to(server_binary())
    cli = tmp_path / "bin" / "valkey-cli"
    cli.write_text(CLI.format(python=sys.executable))
    cli.chmod(0o755)
    (tmp_path / "valkey.conf").write_text(
        f"port {machine.port}\nbind 127.0.0.1\nrequirepass {machine.password}\nappendonly yes\nappendfsync always\n"
        'save ""\n'
    )
    yield machine
    for process in psutil.process_iter(["cwd"]):
        if str(process.info["cwd"] or "").startswith(str(tmp_path)):
            with suppress(psutil.NoSuchProcess):
                process.terminate()
                process.wait(20)


@asynccontextmanager
async def registering(
    machine: Machine, data: str, engine: Engine, key: str = ""
) -> AsyncIterator[tuple[Registration, str]]:
    """A registration service at heyan on that machine's server, and its key of test mode, made if none is given."""
    settings = Settings(data_dir=machine.folder / data, store_url=machine.url, port=0, workers=1)
    async with running_api(settings, engine) as api:
        if not key:
            _, key = await api.services.clients.create("window 1", mode="test")
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=api.http.base_url, headers=headers, timeout=20) as http:
            yield Registration(http), key


async def verified(desk: Registration, filing: Filing) -> str:
    """A token of the filing's person, who has verified (again)."""
    simulated = await desk.http.post(f"/v1/test/cases/{filing.id}/subjects/{filing.subjects[0]}/simulate")
    assert simulated.json()["outcome"] == "accepted", simulated.text
    return await desk.mint(filing, filing.subjects[0])


def counted(told: str) -> list[str]:
    return re.findall(r"\d+ cases, \d+ entries", told)


def person(portraits: dict[str, bytes]) -> Registrant:
    return Registrant(name="Test Accepted", role="shareholder", id_number="E12345678", photo=portraits["person_a_1"])


async def test_the_append_only_directory_is_copied_while_all_runs_and_brings_all_back(
    machine: Machine, engine: Engine, portraits: dict[str, bytes]
) -> None:
    await machine.start(folder="store")
    async with registering(machine, "data", engine) as (desk, key):
        kept, lost = await desk.open(person(portraits)), await desk.open(person(portraits))
        redeemed, unredeemed = await verified(desk, kept), await verified(desk, lost)
        receipt = await desk.redeem(kept, kept.subjects[0], redeemed)
        assert receipt.status_code == 200
        await machine.run(BACKUP)
    assert (await machine.run("store CONFIG GET auto-aof-rewrite-percentage")).split()[-1] == "100"
    await machine.stop()
    told = await machine.run(RESTORE)
    before, after = counted(told)
    assert before.startswith("2 cases, ")
    assert after.startswith("2 cases, ")
    assert "intact" in told
    async with registering(machine, "restored-data", engine, key) as (desk, _):
        again = await desk.redeem(kept, kept.subjects[0], redeemed)
        assert (again.status_code, again.json()["code"]) == (409, "token_already_redeemed")
        assert (await desk.http.get(f"/v1/receipts/{receipt.json()['id']}")).json() == receipt.json()
        void = await desk.redeem(lost, lost.subjects[0], unredeemed)
        assert (void.status_code, void.json()["code"]) == (410, "verification_expired")
        anew = await desk.redeem(lost, lost.subjects[0], await verified(desk, lost))
        assert anew.status_code == 200


async def test_a_dump_alone_is_loaded_and_then_written_as_append_only_file(
    machine: Machine, engine: Engine, portraits: dict[str, bytes]
) -> None:
    await machine.start(folder="store")
    async with registering(machine, "data", engine) as (desk, _):
        filing = await desk.open(person(portraits))
        await verified(desk, filing)
    audited, size = await machine.run("heyan audit verify"), machine.size()
    await machine.run("store SAVE")
    await machine.stop()

    (machine.folder / "dump-alone").mkdir()
    await machine.run('cp "$STORE/dump.rdb" dump-alone/')
    await machine.start(folder="dump-alone")
    assert machine.size() == 0, "the guide warns of what no longer is so"
    await machine.stop()

    await machine.run(FROM_RDB)
    assert machine.size() == size
    assert (machine.folder / "from-rdb" / "appendonlydir").is_dir()
    assert counted(await machine.run("heyan audit verify")) == counted(audited) != []
