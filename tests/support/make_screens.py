"""`make screens`: pictures of the pages for docs/screens.md, and how soon the capture page is there on a slow phone.

Real services and pages, and a camera's picture that is blurred in what is kept: nobody's face is in it. Screens that
pass in a moment, or that need somebody to fail, are prompted from here.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from astronaut import load_astronaut
from browser_phone import FAST_4G, SLOW_4G, PhoneBrowser, Scene, SlowPhone, chromium, phone_browser, words_in
from one_window import Json, WindowProcess, entered, running_window
from PIL import Image
from playwright.async_api import Browser, WebSocketRoute

from benchmarks.phone.casting import living
from benchmarks.service import running_service
from examples.registration import PHOTO
from models.engine import Engine
from models.prepare import default_data_dir

COLOURS = (96, 48, 24)
MOST_BYTES = 60_000
DESK = {"width": 1100, "height": 760}
TIMES = 5
BLUR = "for (const video of document.querySelectorAll('video')) video.style.filter = 'blur(14px)'"
BEGIN, END = "<!-- measured -->\n", "<!-- end -->"
PAGES = Path(__file__).parents[2] / "docs" / "screens.md"
WINDOW_WEB = Path(__file__).parents[2] / "examples" / "one_window" / "web"


async def shot(phone: PhoneBrowser, name: str) -> None:
    """A picture of what is to be seen now, small enough to be kept with the text; the camera's part is blurred."""
    await phone.page.evaluate(BLUR)
    await phone.page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
    taken = Image.open(BytesIO(await phone.page.screenshot())).convert("RGB")
    path = PAGES.with_suffix("") / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    for colours in COLOURS:
        taken.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return
    sys.exit(f"{path}: {path.stat().st_size} bytes are too many for a picture in the documentation")


def link_of(window: WindowProcess, filing: Json, place: int) -> str:
    with window.http as http:
        linked = http.post(f"/api/filings/{filing['id']}/people/{place}/link").json()
    return str(linked["parties"][place]["link"])


def notice_of(window: WindowProcess, filing: Json) -> str:
    """The link in a notice that the first person of a filing would get."""
    headers = {"Authorization": f"Bearer {window.api_key}"}
    with httpx.Client(base_url=window.heyan.url, headers=headers) as http:
        subjects = http.get(f"/v1/cases/{filing['case_id']}").json()["subjects"]
        path = f"/v1/cases/{filing['case_id']}/subjects/{subjects[0]['id']}/dispute-links"
        return str(http.post(path).json()["url"])


def filed(window: WindowProcess, photo: bytes, *names: str) -> Json:
    roles = ("shareholder", "legal_representative", "finance_head")
    people = [entered(name, f"E7{place}", roles[place], photo=photo) for place, name in enumerate(names)]
    with window.http as http:
        body = {"company_name": "上海示例科技有限公司", "capital": "1000000", "people": people}
        filing: Json = http.post("/api/filings", json=body).json()
    return filing


@asynccontextmanager
async def on_a_phone(
    browser: Browser, window: WindowProcess, language: str = "zh", **options: Any
) -> AsyncIterator[PhoneBrowser]:
    locale = {"zh": "zh-CN", "en": "en-GB"}[language]
    async with phone_browser(browser, window.heyan.url, words_in(language), language=locale, **options) as phone:
        yield phone


async def until_the_camera(phone: PhoneBrowser, address: str, *, suffix: str = "", taken: bool = False) -> None:
    await phone.page.goto(address)
    for screen, tapped in (("who", "continue"), ("consent", "agree"), ("intent", "intent_button")):
        await phone.at(screen, look=False)
        if taken:
            await shot(phone, f"{screen}{suffix}")
        await phone.tap(tapped)
    await phone.at("camera", look=False)


async def verifying(browser: Browser, window: WindowProcess, filing: Json, face: bytes, engine: Engine) -> None:
    """A person verifies; pictures of each step."""
    scene = Scene(living(face, engine=engine, rng=Random(3), room_lux=150))
    async with on_a_phone(browser, window, scene=scene) as phone:
        await until_the_camera(phone, link_of(window, filing, 0), taken=True)
        await shot(phone, "camera")
        await phone.tap("open_camera")
        await phone.at("ready", look=False)
        await asyncio.sleep(1)
        await shot(phone, "ready")
        await phone.tap("start")
        await phone.page.locator(".arrow:not([hidden])").wait_for(timeout=60_000)
        await shot(phone, "cue")
        await phone.page.locator("#light:not([hidden])").wait_for(timeout=60_000)
        await phone.at("done", look=False, seconds=100)
        await shot(phone, "done")


async def prompted(browser: Browser, window: WindowProcess, filing: Json, face: bytes, engine: Engine) -> None:
    """Screens that the service shows too briefly, or to those who fail; a new link for each end."""
    ends = {
        "retry": {"outcome": "retry", "reason": "follow_the_cues", "attempts_left": 2},
        "rejected": {"outcome": "rejected", "reason": "not_verified", "attempts_left": 2},
        "referred": {"outcome": "referred", "reason": "use_window", "attempts_left": 0},
    }
    for name, end in ends.items():
        scene, sockets = Scene(living(face, engine=engine, rng=Random(3))), list[WebSocketRoute]()
        async with on_a_phone(browser, window, scene=scene) as phone:
            await phone.page.route_web_socket("**/stream", lambda socket, to=sockets: to.append(socket))
            await until_the_camera(phone, link_of(window, filing, 1))
            await phone.tap("open_camera")
            await phone.at("ready", look=False)
            await phone.tap("start")
            await phone.at("live", look=False)
            socket = sockets[-1]
            socket.send(json.dumps({"type": "claimed", "resume_secret": "x"}))
            if name == "retry":
                light = {"type": "light", "colour": "#30ffff", "index": 1, "total": 4, "nonce": "12345678"}
                socket.send(json.dumps(light))
                await phone.page.locator("#light:not([hidden])").wait_for()
                await shot(phone, "light")
            socket.send(json.dumps({"type": "done"}))
            await phone.at("waiting", look=False)
            if name == "retry":
                await shot(phone, "waiting")
            socket.send(json.dumps({"type": "result", **end}))
            await socket.close()
            await phone.at(name, look=False)
            await shot(phone, name)


async def other_ways(browser: Browser, window: WindowProcess, filing: Json) -> None:
    """English, the dark, no camera, declining, and a report."""
    async with on_a_phone(browser, window, "en", color_scheme="dark") as phone:
        await until_the_camera(phone, link_of(window, filing, 2), suffix="-en-dark", taken=True)
    refusing = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError') }"
    async with on_a_phone(browser, window, script=refusing) as phone:
        await until_the_camera(phone, link_of(window, filing, 2))
        await phone.tap("open_camera")
        await phone.at("device_permission", look=False)
        await shot(phone, "permission")
        await phone.tap("decline")
        await phone.at("decline_sure", look=False)
        await phone.tap("decline_sure")
        await phone.at("declined", look=False)
        await shot(phone, "declined")
    async with on_a_phone(browser, window) as phone:
        await phone.page.goto(notice_of(window, filing))
        await phone.at("report", look=False)
        await shot(phone, "report")


async def at_the_window(browser: Browser, window: WindowProcess) -> None:
    """What a clerk sees: a filing with a link, and what comes of one when all have verified."""
    with window.http as http:
        done = filed(window, PHOTO, "Test Accepted", "Test Accepted", "Test Accepted")
        for place in range(3):
            http.post(f"/api/filings/{done['id']}/people/{place}/simulate").raise_for_status()
    await asyncio.to_thread(window.awaited, done["id"], lambda now: bool(now["state"] == "registered"))
    async with phone_browser(browser, window.url, words_in("zh", WINDOW_WEB), viewport=DESK) as clerk:
        pages = {
            "overview": "/",
            "new": "/new",
            "registered": f"/filings/{done['id']}",
            "licence": f"/companies/{done['id']}",
        }
        for name, path in pages.items():
            await clerk.page.goto(window.url + path)
            await clerk.page.locator("#main[data-page] h1").wait_for()
            if name == "new":
                await clerk.page.get_by_role("button", name=clerk.words["fill_sample"]).click()
            await shot(clerk, f"window-{name}")


async def a_filing_under_way(browser: Browser, window: WindowProcess, filing: Json) -> None:
    address = f"{window.url}/filings/{filing['id']}"
    for name, view in (("window-filing", DESK), ("window-filing-phone", {"width": 390, "height": 844})):
        async with phone_browser(browser, window.url, words_in("zh", WINDOW_WEB), viewport=view) as clerk:
            await clerk.page.goto(address)
            await clerk.page.locator(".invitation img").first.wait_for()
            await shot(clerk, name)


async def measured(browser: Browser, window: WindowProcess, filing: Json) -> list[str]:
    """How soon the first screen is there, on each slow phone; the median of several times."""
    lines = []
    for slow in (FAST_4G, SLOW_4G):
        taken = [await _first_screen(browser, window, filing, slow) for _ in range(TIMES)]
        ends = f"{min(taken):.2f} to {max(taken):.2f}"
        lines.append(f"| {slow.name} | {median(taken):.2f} s | {ends} s |")
    return ["| phone | until the first button can be pressed (median) | range |", "|---|---|---|", *lines]


async def _first_screen(browser: Browser, window: WindowProcess, filing: Json, slow: SlowPhone) -> float:
    async with on_a_phone(browser, window) as phone:
        return await phone.seconds_to("who", link_of(window, filing, 1), slow)


async def pictures(live: WindowProcess, test: WindowProcess) -> list[str]:
    """All pictures; the lines of the table with the figures."""
    engine, face = Engine.open(data_dir=default_data_dir()), load_astronaut(default_data_dir())
    async with chromium() as browser:
        filing = filed(live, face, "张三", "李四", "王五")
        figures = await measured(browser, live, filing)
        await verifying(browser, live, filing, face, engine)
        await prompted(browser, live, filing, face, engine)
        link_of(live, filing, 1)
        await a_filing_under_way(browser, live, filing)
        await other_ways(browser, live, filing)
        await at_the_window(browser, test)
    return figures


def make(folder: Path) -> None:
    """All pictures, and the figures in the text."""
    with (
        running_service(folder / "heyan", webhook_private_addresses="true") as heyan,
        running_window(heyan, folder / "live", mode="live") as live,
        running_window(heyan, folder / "test", mode="test") as test,
    ):
        figures = asyncio.run(pictures(live, test))
    before, _, rest = PAGES.read_text("utf-8").partition(BEGIN)
    table = "\n".join(figures)
    PAGES.write_text(f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    with TemporaryDirectory(prefix="heyan-screens-") as folder:
        make(Path(folder))
