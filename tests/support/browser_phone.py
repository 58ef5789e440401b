"""A phone's browser for tests: headless Chromium whose camera films a person who obeys what the page shows."""

import json
import os
import shutil
from asyncio import to_thread
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from api.routes.pages import WEB
from benchmarks.phone.camera import Camera
from benchmarks.phone.person import Actor

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
VIEWPORT = {"width": 390, "height": 844}

FILM = """
(() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 480, height: 640});
  const context = canvas.getContext('2d');
  context.fillRect(0, 0, 480, 640);
  const shown = () => {
    const light = document.querySelector('#light:not([hidden])');
    const arrow = document.querySelector('.arrow:not([hidden])');
    if (light) return {kind: 'light', what: getComputedStyle(light).backgroundColor};
    return arrow ? {kind: 'ask', what: arrow.dataset.cue} : {kind: 'rest', what: null};
  };
  const film = async (track) => {
    while (track.readyState === 'live') {
      const began = performance.now(), coded = atob(await window.heyanScene(shown()));
      const bytes = Uint8Array.from(coded, (character) => character.charCodeAt(0));
      context.drawImage(await createImageBitmap(new Blob([bytes], {type: 'image/jpeg'})), 0, 0);
      await new Promise((done) => setTimeout(done, Math.max(0, 90 - (performance.now() - began))));
    }
  };
  navigator.mediaDevices.getUserMedia = async () => {
    const stream = canvas.captureStream(15);
    film(stream.getVideoTracks()[0]);
    return stream;
  };
})();
"""
"""Puts a canvas in the camera's place; its pictures are asked for with what the page shows at that moment."""


@dataclass
class Scene:
    """Whoever is in front of the browser's camera."""

    actor: Actor
    _shutter: Any = field(init=False)
    _began: float = field(default_factory=monotonic)
    _told: tuple[str, str | None] = ("", None)

    def __post_init__(self) -> None:
        # As good a picture as can be: the page itself makes the JPEG that is sent.
        self._shutter = Camera(jpeg_quality=95, fine_colour=True).open(np.random.default_rng(5))

    async def picture(self, shown: dict[str, str | None]) -> str:
        """A JPEG in base64 of what the camera sees while the page shows an arrow, a colour or neither."""
        at = monotonic() - self._began
        told = (str(shown["kind"]), _colour(shown["what"]) if shown["kind"] == "light" else shown["what"])
        if told != self._told:
            self._told = told
            self.actor.told(*told, at)
        return await to_thread(self._shoot, at)

    def _shoot(self, at: float) -> str:
        return b64encode(self._shutter.shoot(self.actor.scene(at), at, self.actor.glow(at))).decode()


def _colour(css: str | None) -> str:
    """`rgb(48, 255, 255)` as `#30ffff`."""
    channels = str(css).removeprefix("rgb(").removesuffix(")").split(",")
    return "#" + "".join(f"{int(channel):02x}" for channel in channels)


@dataclass(frozen=True)
class SlowPhone:
    """A network and a processor as Chromium imitates them: bytes and seconds."""

    name: str
    down: float
    up: float
    latency: float
    processor: int = 4
    """How many times slower."""


FAST_4G = SlowPhone("Fast 4G, processor 4 times slower", down=9e6 / 8 * 0.9, up=1.5e6 / 8 * 0.9, latency=0.165)
SLOW_4G = SlowPhone("Slow 4G, processor 4 times slower", down=1.6e6 / 8 * 0.9, up=0.75e6 / 8 * 0.9, latency=0.5625)
"""The presets of Chromium's developer tools; the second was called Fast 3G before."""

READY = """
new MutationObserver(() => {
  const button = document.querySelector("#main[data-screen='%s'] .actions button:enabled");
  if (button) window.heyanReady ??= performance.now();
}).observe(document, {subtree: true, childList: true, attributes: true});
"""


@dataclass
class PhoneBrowser:
    """One page on one phone, and all that must not happen on it."""

    page: Page
    base: str
    words: dict[str, Any]
    complaints: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def at(self, screen: str, *, seconds: float = 15, look: bool = True, name: str | None = None) -> None:
        """Wait for a screen; then it has no accessibility violation, no overflow, and is photographed if wanted."""
        await self.page.locator(f"#main[data-screen='{screen}']").wait_for(timeout=seconds * 1000)
        if look:
            await self.check(name or screen)

    async def check(self, name: str) -> None:
        results = await Axe().run(self.page)
        found = [(each["id"], each["nodes"][0]["html"]) for each in results.response["violations"]]
        assert found == [], (name, found)
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} overflows"
        await self.picture(name)

    async def picture(self, name: str) -> None:
        if folder := os.environ.get("HEYAN_SCREENS"):
            language = await self.page.evaluate("document.documentElement.lang.slice(0, 2)")
            await self.page.screenshot(path=Path(folder) / f"{name}-{language}.png")

    async def tap(self, words: str) -> None:
        await self.page.get_by_role("button", name=self.words[words], exact=True).first.click()

    async def seconds_to(self, screen: str, address: str, phone: SlowPhone) -> float:
        """From opening an address on a slow phone, nothing cached, until a screen's first button can be pressed."""
        devtools = await self.page.context.new_cdp_session(self.page)
        conditions = {"downloadThroughput": phone.down, "uploadThroughput": phone.up, "latency": phone.latency * 1000}
        await devtools.send("Network.enable")
        await devtools.send("Network.emulateNetworkConditions", {"offline": False, **conditions})
        await devtools.send("Emulation.setCPUThrottlingRate", {"rate": phone.processor})
        await self.page.add_init_script(READY % screen)
        await self.page.goto(address)
        await self.page.locator(f"#main[data-screen='{screen}'] .actions button:enabled").first.wait_for()
        return float(await self.page.evaluate("window.heyanReady")) / 1000

    def nothing_wrong(self) -> None:
        assert self.complaints == []
        own = (self.base, self.base.replace("http", "ws", 1), "blob:", "data:")
        assert [request.url for request in self.requests if not request.url.startswith(own)] == []


def words_in(language: str, folder: Path = WEB) -> dict[str, Any]:
    """What pages say, by default the capture page's."""
    content: dict[str, Any] = json.loads((folder / f"words.{language}.json").read_text("utf-8"))
    return content


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def phone_browser(
    browser: Browser,
    base: str,
    words: dict[str, Any],
    *,
    language: str = "zh-CN",
    scene: Scene | None = None,
    script: str = "",
    **context: Any,
) -> AsyncIterator[PhoneBrowser]:
    """A fresh browser profile on a phone of 390×844; `script` runs before the page's own."""
    options = {"viewport": VIEWPORT, "locale": language, "has_touch": True, **context}
    opened: BrowserContext = await browser.new_context(**options)
    page = await opened.new_page()
    phone = PhoneBrowser(page, base, words)

    def note(message: ConsoleMessage) -> None:
        # A refused request is told to the person; Chromium notes it in the console whatever the page does.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            phone.complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: phone.complaints.append(str(error)))
    page.on("request", lambda request: phone.requests.append(request))  # noqa: PLW0108 - Playwright marks it
    if scene is not None:
        await page.expose_function("heyanScene", scene.picture)
        await page.add_init_script(FILM)
    if script:
        await page.add_init_script(script)
    try:
        yield phone
    finally:
        await opened.close()
