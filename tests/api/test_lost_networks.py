"""A live session on networks that die without closing a connection, in a real browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from browser_phone import CHROMIUM, PhoneBrowser, Scene, phone_browser, words_in
from playwright.async_api import Browser
from prefix_proxy import PrefixProxy, proxying
from running_service import RunningApi, registrant, running_api

from api.settings import Settings
from benchmarks.phone.casting import living
from benchmarks.phone.person import StillPerson
from models.engine import Engine

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
WORDS = words_in("zh")
NOTICED_SECONDS = 30
"""Eight, and as long as the buffers of a loopback take to fill."""


@pytest.fixture
async def network() -> AsyncIterator[PrefixProxy]:
    async with proxying("") as proxy:
        yield proxy


@pytest.fixture
async def far_api(engine: Engine, network: PrefixProxy, tmp_path: Path) -> AsyncIterator[RunningApi]:
    async with running_api(Settings(data_dir=tmp_path, port=0, workers=2), engine, public_url=network.url) as running:
        network.target = running.http.base_url.port or 0
        yield running


@pytest.fixture
def portrait(portraits: dict[str, bytes]) -> bytes:
    return portraits["person_a_1"]


@asynccontextmanager
async def in_a_session(browser: Browser, base: str, api: RunningApi, photo: bytes) -> AsyncIterator[PhoneBrowser]:
    """A phone at its first cue, in front of somebody who does not follow it."""
    still = StillPerson(living(photo, engine=api.services.engine, rng=Random(3))._head, Random(3))
    async with phone_browser(browser, base, WORDS, scene=Scene(still)) as phone:
        await go_to_the_first_cue(phone, api, photo)
        yield phone


async def go_to_the_first_cue(phone: PhoneBrowser, api: RunningApi, photo: bytes) -> None:
    filing = await api.desk.open(registrant(photo, id_number="E22345670"))
    path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites"
    await phone.page.goto(str((await api.http.post(path)).json()["url"]))
    for screen, words in (
        ("who", "continue"),
        ("consent", "agree"),
        ("intent", "intent_button"),
        ("camera", "open_camera"),
        ("ready", "start"),
    ):
        await phone.at(screen, look=False)
        await phone.tap(words)
    await phone.page.locator(".arrow:not([hidden])").wait_for(timeout=60_000)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_network_that_dies_without_a_word_is_noticed(
    comes_back: bool, far_api: RunningApi, network: PrefixProxy, browser: Browser, portrait: bytes
) -> None:
    async with in_a_session(browser, network.url, far_api, portrait) as phone:
        network.flowing.clear()
        await phone.page.get_by_text(WORDS["reconnecting"]).wait_for(timeout=NOTICED_SECONDS * 1000)
        if comes_back:
            network.flowing.set()
        await phone.at("retry" if comes_back else "problem_lost", seconds=60, look=False)
        network.flowing.set()


async def test_a_phone_that_knows_that_it_is_offline_does_not_wait(
    far_api: RunningApi, network: PrefixProxy, browser: Browser, portrait: bytes
) -> None:
    async with in_a_session(browser, network.url, far_api, portrait) as phone:
        await phone.page.evaluate("dispatchEvent(new Event('offline'))")
        await phone.page.get_by_text(WORDS["reconnecting"]).wait_for(timeout=1000)
        await phone.at("retry", seconds=40, look=False)
