"""The window's pages in a real browser: three people and an impostor on their phones, and what a clerk sees of it."""

from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import httpx
import pytest
from browser_phone import CHROMIUM, PhoneBrowser, Scene, phone_browser, words_in
from one_window import WindowProcess, entered, running_window
from playwright.async_api import Browser, Locator, expect

from api.routes.pages import WEB as HEYAN_WEB
from benchmarks.phone.casting import living
from benchmarks.phone.person import Actor
from benchmarks.service import Service, running_service
from examples.registration import PHOTO
from models.engine import Engine

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")

WEB = Path(__file__).parents[2] / "examples" / "one_window" / "web"
DESKTOP = {"width": 1280, "height": 900}
VERIFY_SECONDS = 100
ATTEMPTS = 3


@pytest.fixture(scope="module")
def heyan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("heyan") / "data"
    with running_service(folder, webhook_private_addresses="true") as running:
        yield running


# Every page, in both languages, on a phone, at a desk, in the dark

VIEWS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": DESKTOP},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {},
    "small": {"viewport": {"width": 320, "height": 568}},
}


@pytest.fixture(scope="module")
def furnished(heyan: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A window in test mode with a registered company, a filing under way, and one that was withdrawn."""
    with running_window(heyan, tmp_path_factory.mktemp("window") / "w", mode="test") as window, window.http as http:
        filings = [_filed(http, number, name) for number, name in enumerate(("Test Accepted", "Test Mismatch", "张三"))]
        done, under_way, withdrawn = (filing["id"] for filing in filings)
        for place in range(3):
            http.post(f"/api/filings/{done}/people/{place}/simulate").raise_for_status()
        http.post(f"/api/filings/{under_way}/people/0/simulate").raise_for_status()
        linked = http.post(f"/api/filings/{under_way}/people/1/link").json()
        code = linked["parties"][1]["link"].split("#")[1]
        back = httpx.post(f"{heyan.url}/v1/invites/inspect", json={"code": code}).json()["return_url"]
        http.post(f"/api/filings/{withdrawn}/withdraw").raise_for_status()
        window.awaited(done, lambda now: bool(now["state"] == "registered"))
        window.awaited(under_way, lambda now: bool(now["parties"][0]["note"] == "rejected"))
        pages = {
            "overview": "/",
            "new": "/new",
            "under-way": f"/filings/{under_way}",
            "registered": f"/filings/{done}",
            "withdrawn": f"/filings/{withdrawn}",
            "licence": f"/companies/{done}",
            "increase": f"/companies/{done}/increase",
            "back": back.removeprefix(window.url),
            "missing": "/filings/none",
        }
        yield {"url": window.url, "pages": pages}


def _filed(http: httpx.Client, number: int, name: str) -> dict[str, Any]:
    people = [
        entered(name, f"E5{number}00001", "shareholder", photo=PHOTO, share="66.666667"),
        entered("Test Accepted", f"E5{number}00002", "legal_representative", photo=PHOTO),
        entered("Test Accepted", f"E5{number}00003", "finance_head", photo=PHOTO),
    ]
    body = {"company_name": "上海示例科技有限公司", "capital": "1000000", "people": people}
    filing: dict[str, Any] = http.post("/api/filings", json=body).json()
    return filing


@pytest.mark.parametrize(
    ("language", "view"), [("zh-CN", "desk"), ("en-GB", "phone"), ("zh-CN", "dark"), ("en-GB", "small")]
)
async def test_every_page_is_accessible_fits_and_asks_nobody_else(
    language: str, view: str, furnished: dict[str, Any], browser: Browser
) -> None:
    words = words_in(language[:2], WEB)
    async with phone_browser(browser, furnished["url"], words, language=language, **VIEWS[view]) as clerk:
        for name, path in furnished["pages"].items():
            await clerk.page.goto(furnished["url"] + path)
            await clerk.page.locator("#main[data-page] h1").wait_for()
            await clerk.check(f"window-{name}-{view}")
        clerk.nothing_wrong()


async def test_a_refusal_is_told_where_it_was_asked_and_read_out(furnished: dict[str, Any], browser: Browser) -> None:
    words = words_in("zh", WEB)
    async with phone_browser(browser, furnished["url"], words, viewport=DESKTOP) as clerk:
        await clerk.page.goto(f"{furnished['url']}/new")
        await enter(clerk, [("张三", "E1", "shareholder", PHOTO), ("李四", "E2", "agent", PHOTO)])
        await clerk.page.get_by_role("alert").get_by_text(words["problem"]["required_role_missing"][0]).wait_for()
        await expect(clerk.page.locator("#problems")).to_be_focused()
        await clerk.check("window-refused")
        clerk.nothing_wrong()


async def enter(clerk: PhoneBrowser, people: list[tuple[str, str, str, bytes]]) -> None:
    """Fill in the form for an establishment, and file it."""
    words, page = clerk.words, clerk.page
    forms = page.locator("fieldset.person")
    await forms.first.wait_for()
    while await forms.count() > len(people):
        await forms.last.locator("button").click()
    await page.get_by_label(words["company_name"]).fill("上海示例科技有限公司")
    await page.get_by_label(words["capital"]).fill("1000000")
    for place, (name, number, role, photo) in enumerate(people):
        form = forms.nth(place)
        await form.get_by_label(words["name"], exact=True).fill(name)
        await form.get_by_label(words["id_type_label"]).select_option("passport")
        await form.get_by_label(words["id_number"]).fill(number)
        await form.get_by_label(words["role"][role], exact=True).check()
        image = {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": photo}
        await form.get_by_label(words["photo"]).set_input_files([image])
    await page.get_by_role("button", name=words["file"], exact=True).click()


# The whole way: a clerk, three people, an impostor


@pytest.fixture
def window(heyan: Service, tmp_path: Path) -> Iterator[WindowProcess]:
    with running_window(heyan, tmp_path / "window", mode="live") as running:
        yield running


async def test_three_people_verify_in_any_order_an_impostor_does_not_and_the_licence_appears(
    window: WindowProcess, browser: Browser, portraits: dict[str, bytes], engine: Engine
) -> None:
    seed = SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng, words = Random(seed), words_in("zh", WEB)
    faces = [portraits[name] for name in ("person_a_1", "person_b_1", "impostor_1")]
    named = (("张三", "shareholder"), ("李四", "legal_representative"), ("王五", "finance_head"))
    people = [(name, f"E9{place}", role, faces[place]) for place, (name, role) in enumerate(named)]
    order = rng.sample(range(3), 3)

    def alive(face: bytes) -> Actor:
        return living(face, engine=engine, rng=rng, room_lux=150)

    async with phone_browser(browser, window.url, words, viewport=DESKTOP) as clerk:
        await clerk.page.goto(f"{window.url}/new")
        await enter(clerk, people)
        await clerk.page.wait_for_url("**/filings/*")
        for turn, place in enumerate(order):
            if turn == 0:
                address = await linked(clerk, place)
                await refused(browser, window, address, alive(portraits["impostor_2"]))
                await expect(badge(clerk, place)).to_have_attribute("data-state", "rejected")
                await clerk.check("window-rejected")
            address = await linked(clerk, place)
            await accepted(browser, window, address, alive(faces[place]))
            await expect(badge(clerk, place)).to_have_attribute("data-state", ["verified", "redeemed"][turn == 2])
        await clerk.page.get_by_role("link", name=words["licence"], exact=True).click()
        await clerk.page.locator(".licence").get_by_text(words["sample_stamp"], exact=True).wait_for()
        await clerk.check("window-licence")
        clerk.nothing_wrong()
    (folder,) = (window.data / "archive").iterdir()
    assert len(list(folder.glob("*.jws"))) == 3


def badge(clerk: PhoneBrowser, place: int) -> Locator:
    return clerk.page.locator(f"[data-person='{place}'] .badge")


async def linked(clerk: PhoneBrowser, place: int) -> str:
    """A new link for a person, from the clerk's page."""
    person = clerk.page.locator(f"[data-person='{place}']")
    before = await person.locator("input[readonly]").all()
    earlier = await before[0].input_value() if before else ""
    await person.locator(f"[data-key='link-{place}']").click()
    await expect(person.locator("input[readonly]")).not_to_have_value(earlier)
    await person.locator("img").wait_for()
    return await person.locator("input[readonly]").input_value()


async def at_the_camera(phone: PhoneBrowser, address: str) -> None:
    await phone.page.goto(address)
    for screen, words in (
        ("who", "continue"),
        ("consent", "agree"),
        ("intent", "intent_button"),
        ("camera", "open_camera"),
    ):
        await phone.at(screen, look=False)
        await phone.tap(words)
    await phone.at("ready", look=False)
    await phone.tap("start")


async def ended(phone: PhoneBrowser) -> str:
    """How it ended; whoever is asked to try again on a slow machine tries again."""
    for _ in range(ATTEMPTS):
        end = phone.page.locator("#main:is([data-screen=done], [data-screen=retry], [data-screen=rejected])")
        await end.wait_for(timeout=VERIFY_SECONDS * 1000)
        screen = await phone.page.locator("#main").get_attribute("data-screen")
        if screen != "retry":
            return str(screen)
        await phone.tap("retry_button")
    return "retry"


async def refused(browser: Browser, window: WindowProcess, address: str, person: Actor) -> None:
    """Somebody else opens the link: told what to do, and not how close it was."""
    words = words_in("zh", HEYAN_WEB)
    async with phone_browser(browser, window.heyan.url, words, scene=Scene(person)) as phone:
        await at_the_camera(phone, address)
        assert await ended(phone) == "rejected"
        text = await phone.page.locator("#main").inner_text()
        assert words["rejected"]["not_verified"] in text
        assert words["window_note"] in text
        phone.nothing_wrong()


async def accepted(browser: Browser, window: WindowProcess, address: str, person: Actor) -> None:
    """The person is verified, and goes back to where they came from."""
    words = words_in("zh", HEYAN_WEB)
    async with phone_browser(browser, window.heyan.url, words, scene=Scene(person)) as phone:
        await at_the_camera(phone, address)
        assert await ended(phone) == "done", await phone.page.locator("#main").inner_text()
        phone.nothing_wrong()
        await phone.page.get_by_role("link", name=words["return"].replace("{requester}", "登记窗口")).click()
        await phone.page.wait_for_url(f"{window.url}/back/*")
        await phone.page.locator("#main[data-page=back]").wait_for()
        assert phone.complaints == []
