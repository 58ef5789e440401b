"""The screen of a live session in a real browser, with prompts that come from here."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from browser_phone import CHROMIUM, PhoneBrowser, phone_browser, words_in
from playwright.async_api import Browser, Page, WebSocketRoute
from running_service import RunningApi

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


WORDS = words_in("zh")


@dataclass
class Prompter:
    """The service's side of a session, told by the test."""

    phone: PhoneBrowser
    sockets: list[WebSocketRoute] = field(default_factory=list)

    @property
    def socket(self) -> WebSocketRoute:
        return self.sockets[-1]

    def take(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)

    async def begin(self) -> None:
        await self.phone.at("live", look=False)
        self.tell("claimed", resume_secret="x")

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


async def box(page: Page, selector: str) -> tuple[float, float]:
    """Top and bottom of an element in the view."""
    top, bottom = await page.locator(selector).evaluate("e => (r => [r.top, r.bottom])(e.getBoundingClientRect())")
    return top, bottom


LARGE_TEXT = """
addEventListener('DOMContentLoaded', () => {
  const style = new CSSStyleSheet();
  style.replaceSync(':root { font-size: 34px !important }');
  document.adoptedStyleSheets = [style];
});
"""
VIEWS = {
    "390x844": "",
    "375x553": "",
    "360x512": "",
    "360x640": "",
    "320x568": "",
    "360x640-large": LARGE_TEXT,
}


@pytest.mark.parametrize("name", VIEWS)
async def test_what_is_needed_is_in_view_on_small_phones(
    name: str, api: RunningApi, browser: Browser, filing: Filing
) -> None:
    width, height = map(int, name.removesuffix("-large").split("x"))
    text, view = VIEWS[name], {"width": width, "height": height}
    async with session(browser, api, filing, script=text, start=False, viewport=view) as prompter:
        phone, page = prompter.phone, prompter.phone.page
        start = page.get_by_role("button", name=WORDS["start"])
        await phone.check(f"ready-{name}")
        assert await start.evaluate("e => e.getBoundingClientRect().bottom <= innerHeight")
        await start.click()
        await prompter.begin()
        prompter.tell("guide", code="more_light")
        await prompter.told(WORDS["guide"]["more_light"])
        await phone.check(f"live-{name}")
        assert (await box(page, ".prompt"))[1] <= (await box(page, ".ring"))[0]
        for cue in WORDS["cue"]:
            prompter.tell("ask", cue=cue, seconds=7)
            await prompter.told(WORDS["cue"][cue])
            await phone.picture(f"live-{cue}-{name}")
            stage, arrow = await box(page, ".oval"), await box(page, ".arrow")
            assert stage[0] <= arrow[0] < arrow[1] <= stage[1] + 0.5
            assert 0 <= (await box(page, ".prompt"))[0] < (await box(page, ".prompt"))[1] <= stage[0]
            assert (await box(page, ".ring"))[1] <= (await box(page, ".actions"))[0]
            assert (await box(page, ".actions"))[1] <= height + 0.5
            assert await page.evaluate("scrollY") == 0


@asynccontextmanager
async def session(
    browser: Browser,
    api: RunningApi,
    filing: Filing,
    *,
    script: str = "",
    aloud: bool = False,
    start: bool = True,
    **options: Any,
) -> AsyncIterator[Prompter]:
    """A phone in front of the camera; by default in a session that has begun."""
    async with phone_browser(browser, str(api.http.base_url), WORDS, script=PLAIN_CAMERA + script, **options) as phone:
        prompter = Prompter(phone)
        await phone.page.route_web_socket("**/stream", prompter.take)
        await at_the_camera(phone, api, filing)
        if aloud:
            await phone.page.get_by_label(WORDS["speech"]).check()
        await phone.tap("open_camera")
        await phone.at("ready", look=False)
        if start:
            await phone.tap("start")
            await prompter.begin()
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
