"""Two versions of the service on one store, as while replicas restart one after another: nothing lost, nothing doubled.

The older version is the last one before stores had a number for their form, taken from the history of this repository.
"""

import asyncio
import io
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from itertools import cycle, islice, product
from pathlib import Path

import httpx
import pytest

from benchmarks.faults.trial import held
from benchmarks.photos import load_portraits, people_of
from benchmarks.registration import Filing, Registrant, Registration
from benchmarks.replicas import store_in
from benchmarks.service import running_service
from models.prepare import default_data_dir
from verify.clients import Clients
from verify.schema import forms_of
from verify.store import Store
from verify.store_address import connect_to

ROOT = Path(__file__).parents[2]
OLD = "0c25035"
PACKAGES = ("models", "liveness", "verify", "api", "benchmarks")
RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from api.cli import main; main()"
STEPS = 4
"""Of an errand: open, verify, mint, redeem. Every way to share them between two replicas is gone."""


@pytest.fixture(scope="module")
def old_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages as they were."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not here")
    packed = subprocess.run([git, "-C", ROOT, "archive", OLD, *PACKAGES], capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"the history of this repository, with commit {OLD}, is not here")
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
async def places(old_version: Path, tmp_path: Path) -> AsyncIterator[tuple[Store, list[httpx.AsyncClient]]]:
    """One store, and clients of an old replica, which has made the store, and of a new one."""
    (tmp_path / "keys").mkdir()
    async with store_in(tmp_path) as embedded, AsyncExitStack() as stack:
        programs = {"old": (sys.executable, "-c", RUN, old_version), "new": (sys.executable, "-c", RUN, ROOT)}
        found = list[httpx.AsyncClient]()
        store = await stack.enter_async_context(Store(connect_to(embedded.url)))
        _, key = await Clients(store, secrets.token_bytes).create("both", mode="test")
        for name, program in programs.items():
            home = tmp_path / name
            home.mkdir()
            (home / "keys").symlink_to(tmp_path / "keys")
            await asyncio.to_thread(prepare, home, program)
            running = running_service(home, program=program, store_url=embedded.url)
            service = await asyncio.to_thread(stack.enter_context, running)
            http = httpx.AsyncClient(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=20)
            found.append(await stack.enter_async_context(http))
            if name == "old":
                await errand(found * STEPS, number=0)
        yield store, found


def prepare(home: Path, program: Sequence[str | Path]) -> None:
    """Compile the weights as this version does it, where nobody else looks."""
    (home / "models").mkdir()
    (home / "models" / "sources").symlink_to(default_data_dir().absolute() / "models" / "sources")
    environment = {**os.environ, "HEYAN_DATA_DIR": str(home)}
    subprocess.run([*program, "models", "prepare"], env=environment, check=True, capture_output=True)


async def errand(at: "list[httpx.AsyncClient]", *, number: int) -> tuple[str, str]:
    """From a case to a receipt, each step at its own replica; the ids of both. Asked again, each tells the same."""
    photo = people_of(load_portraits(default_data_dir()))[0].photos[0]
    person = Registrant(name="Test Accepted", role="shareholder", id_number=f"E{number:08d}", photo=photo)
    filing: Filing = await Registration(at[0]).open(person)
    (subject,) = filing.subjects
    (await at[1].post(f"/v1/test/cases/{filing.id}/subjects/{subject}/simulate")).raise_for_status()
    token = await Registration(at[2]).mint(filing, subject)
    redeemed = await Registration(at[3]).redeem(filing, subject, token)
    receipt = str(redeemed.raise_for_status().json()["id"])
    for http in dict.fromkeys(at):
        again = await Registration(http).redeem(filing, subject, token)
        assert (again.status_code, again.json()["receipt_id"]) == (409, receipt)
    return filing.id, receipt


async def test_both_versions_serve_one_store(places: tuple[Store, list[httpx.AsyncClient]]) -> None:
    store, replicas = places
    shown = [{check["name"] for check in (await http.get("/readyz")).json()["checks"]} for http in replicas]
    assert ["schema" in names for names in shown] == [False, True]
    ways = list(product(replicas, repeat=STEPS))
    told = await asyncio.gather(*(errand(list(way), number=number) for number, way in enumerate(ways, start=1)))
    found = [await held(store, case, {receipt}) for case, receipt in told]
    assert found == [(0, True)] * len(ways)
    assert len({receipt for _, receipt in told}) == len(ways)
    forms = await forms_of(store)
    assert (forms.oldest, forms.newest, len(forms.processes)) == (1, 1, 1)


async def test_both_versions_at_once_redeem_a_token_once(places: tuple[Store, list[httpx.AsyncClient]]) -> None:
    store, replicas = places
    old, new = replicas
    photo = people_of(load_portraits(default_data_dir()))[0].photos[0]
    for number in range(8):
        person = Registrant(name="Test Accepted", role="shareholder", id_number=f"E1{number:07d}", photo=photo)
        filing = await Registration(old).open(person)
        (subject,) = filing.subjects
        (await new.post(f"/v1/test/cases/{filing.id}/subjects/{subject}/simulate")).raise_for_status()
        token = await Registration(old).mint(filing, subject)
        tries = islice(cycle(replicas), 6)
        answers = await asyncio.gather(*(Registration(http).redeem(filing, subject, token) for http in tries))
        assert sorted(answer.status_code for answer in answers) == [200, *[409] * 5]
        receipts = {str(each.json().get("id") if each.is_success else each.json()["receipt_id"]) for each in answers}
        assert await held(store, filing.id, receipts) == (0, True)
