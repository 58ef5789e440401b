"""The screen of a live session in a real browser, with prompts that come from here."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from browser_phone import CHROMIUM, PhoneBrowser, chromium, phone_browser
from playwright.async_api import Browser, WebSocketRoute
from running_service import RunningApi

from api.routes.pages import WEB
from benchmarks.registration import Filing

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
PLAIN_CAMERA = """
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement('canvas');
  canvas.getContext('2d');
  return canvas.captureStream(5);
};
"""
SPEECH = """
window.heard = [];
Object.defineProperty(window, 'speechSynthesis', {value: {
  speak: (said) => heard.push(said.text), cancel: () => heard.push('cut'),
}});
"""
WAKE_LOCK = """
window.awake = [];
Object.defineProperty(navigator, 'wakeLock', {value: {
  request: async (kind) => { awake.push(kind); return {release: async () => { awake.push('released') }} },
}});
"""


def words_in(language: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((WEB / f"words.{language}.json").read_text("utf-8"))
    return content


WORDS = words_in("zh")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@dataclass
class Prompter:
    """The service's side of a session, told by the test."""

    phone: PhoneBrowser
    socket: WebSocketRoute

    def tell(self, kind: str, **content: object) -> None:
        self.socket.send(json.dumps({"type": kind, "nonce": "12345678", "index": 0, "total": 5, **content}))

    async def prompt(self) -> str:
        return await self.phone.page.locator(".prompt").inner_text()

    async def told(self, words: str) -> None:
        await self.phone.page.get_by_role("status").get_by_text(words, exact=True).wait_for()


async def at_the_camera(phone: PhoneBrowser, api: RunningApi, filing: Filing) -> None:
    path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites"
    await phone.page.goto(str((await api.http.post(path)).json()["url"]))
    for screen, words in (("who", "continue"), ("consent", "agree"), ("intent", "intent_button")):
        await phone.at(screen, look=False)
        await phone.tap(words)
    await phone.at("camera", look=False)


@asynccontextmanager
async def session(
    browser: Browser, api: RunningApi, filing: Filing, *, script: str = "", aloud: bool = False, **options: Any
) -> AsyncIterator[Prompter]:
    sockets = list[WebSocketRoute]()
    async with phone_browser(browser, str(api.http.base_url), WORDS, script=PLAIN_CAMERA + script, **options) as phone:
        await phone.page.route_web_socket("**/stream", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks it
        await at_the_camera(phone, api, filing)
        if aloud:
            await phone.page.get_by_label(WORDS["speech"]).check()
        await phone.tap("open_camera")
        await phone.at("ready", look=False)
        await phone.tap("start")
        await phone.at("live", look=False)
        prompter = Prompter(phone, sockets[-1])
        prompter.tell("claimed", resume_secret="x")
        yield prompter
        phone.nothing_wrong()


async def test_praise_stays_until_it_was_read(api: RunningApi, browser: Browser, filing: Filing) -> None:
    async with session(browser, api, filing) as prompter:
        prompter.tell("ask", cue="turn_left", seconds=7)
        await prompter.told(WORDS["cue"]["turn_left"])
        prompter.tell("seen")
        prompter.tell("rest")
        prompter.tell("guide", code="look_straight")
        await prompter.told(WORDS["seen"])
        assert await prompter.phone.page.locator(".arrow").is_hidden()
        await prompter.phone.page.wait_for_timeout(400)
        assert await prompter.prompt() == WORDS["seen"]
        await prompter.told(WORDS["guide"]["look_straight"])


async def test_a_cue_does_not_wait_for_praise(api: RunningApi, browser: Browser, filing: Filing) -> None:
    async with session(browser, api, filing) as prompter:
        prompter.tell("seen")
        prompter.tell("rest")
        await prompter.told(WORDS["seen"])
        prompter.tell("ask", cue="look_up", seconds=7)
        await prompter.phone.page.wait_for_timeout(200)
        assert await prompter.prompt() == WORDS["cue"]["look_up"]
        await prompter.phone.page.wait_for_timeout(800)
        assert await prompter.prompt() == WORDS["cue"]["look_up"]


async def test_praise_is_heard_to_its_end(api: RunningApi, browser: Browser, filing: Filing) -> None:
    async with session(browser, api, filing, script=SPEECH, aloud=True) as prompter:
        prompter.tell("seen")
        prompter.tell("rest")
        await prompter.told(WORDS["rest"])
        assert await prompter.phone.page.evaluate("heard") == ["cut", WORDS["seen"], WORDS["rest"]]


async def test_another_language_in_the_middle_of_a_session(api: RunningApi, browser: Browser, filing: Filing) -> None:
    english = words_in("en")
    async with session(browser, api, filing) as prompter:
        prompter.tell("ask", cue="turn_left", seconds=7)
        await prompter.told(WORDS["cue"]["turn_left"])
        await prompter.phone.page.locator("#language").click()
        await prompter.told(english["cue"]["turn_left"])
        shown = await prompter.phone.page.locator("#main").inner_text()
        assert "1 of 5" in shown
        assert english["stop"] in shown
        prompter.tell("light", colour="#30ffff", total=8)
        await prompter.phone.page.locator("#light p").get_by_text(english["look_at_screen"]).wait_for()


async def test_the_screen_is_kept_on_during_the_session_alone(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    async with session(browser, api, filing, script=WAKE_LOCK) as prompter:
        page = prompter.phone.page
        await page.wait_for_function("awake.length === 1")
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await page.wait_for_function("awake.length === 2")
        prompter.tell("result", outcome="referred", reason="use_window", attempts_left=0)
        await prompter.socket.close()
        await prompter.phone.at("referred", look=False)
        assert await page.evaluate("awake") == ["screen", "screen", "released"]
