"""The pages for people on networks and browsers on which they do not open: nobody is left with an empty page."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from browser_phone import CHROMIUM, phone_browser, words_in
from playwright.async_api import Browser, Page, Route
from running_service import RunningApi

from benchmarks.registration import Filing

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
TOO_SLOW_SECONDS = 14
"""More than the pages wait until they say that they do not open."""
SYNTAX_OF_TOMORROW = "const later = await? now;"
WITHOUT_MODULES = "delete HTMLScriptElement.prototype.noModule"
HURRIED = "const real = setTimeout; window.setTimeout = (work, ms) => real(work, ms === 20000 ? 900 : ms)"
"""Makes the patience with a request a short one."""

Meddle = Callable[[Route], Awaitable[Any]]


async def hang(_: Route) -> None:
    await asyncio.sleep(0)


async def fail(route: Route) -> None:
    await route.abort()


async def spoil(route: Route) -> None:
    await route.fulfill(body=SYNTAX_OF_TOMORROW, content_type="text/javascript")


async def greet(route: Route) -> None:
    """As a network that wants a login answers for everybody."""
    await route.fulfill(body="<p>Welcome to our network", content_type="text/html")


async def link(api: RunningApi, filing: Filing) -> str:
    path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites"
    return str((await api.http.post(path)).json()["url"])


async def is_offered_another_way(page: Page) -> None:
    await page.get_by_role("heading", name="暂时打不开").wait_for(timeout=TOO_SLOW_SECONDS * 1000)
    shown = await page.locator("#main").inner_text()
    assert "登记窗口" in shown
    assert "registration window" in shown
    assert "正在打开" not in shown


@pytest.mark.parametrize("path", ["", "report"])
@pytest.mark.parametrize(
    ("file", "meddle"),
    [
        ("words.zh.json", hang),
        ("words.zh.json", fail),
        ("words.zh.json", greet),
        ("elements.js", fail),
        ("service.js", spoil),
    ],
)
async def test_a_page_that_does_not_open_says_so(
    path: str, file: str, meddle: Meddle, api: RunningApi, browser: Browser
) -> None:
    base, ways = str(api.http.base_url).rstrip("/"), [meddle, Route.continue_]
    async with phone_browser(browser, base, words_in("zh")) as phone:
        await phone.page.route(f"**/{file}", lambda route: ways[0](route))  # noqa: PLW0108 - the way changes
        await phone.page.goto(f"{base}/{path}", wait_until="commit")
        await is_offered_another_way(phone.page)
        assert not await phone.page.locator("#language").is_visible()
        await phone.check(f"trouble-{path}-{meddle.__name__}")
        del ways[0]
        await phone.page.get_by_role("button", name="重试").click()
        await phone.at("no_link", look=False)


async def test_until_the_link_was_looked_at_the_page_says_that_it_opens(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    async with phone_browser(browser, str(api.http.base_url), words_in("zh")) as phone:
        await phone.page.route("**/inspect", hang)
        await phone.page.goto(await link(api, filing))
        await phone.page.get_by_text("正在打开").wait_for()
        await phone.check("opening")
        await phone.page.locator("#language").click()
        await phone.page.wait_for_function("document.documentElement.lang === 'en'")
        assert await phone.page.get_by_text("Opening…").is_visible()
        await is_offered_another_way(phone.page)


async def test_a_browser_without_modules_is_told_at_once(api: RunningApi, browser: Browser) -> None:
    base = str(api.http.base_url)
    async with phone_browser(browser, base, words_in("zh"), script=WITHOUT_MODULES) as phone:
        await phone.page.route("**/main.js", hang)
        await phone.page.goto(base, wait_until="commit")
        await phone.page.get_by_role("heading", name="暂时打不开").wait_for(timeout=2000)


@pytest.mark.parametrize("meddle", [hang, greet])
async def test_a_request_without_an_answer_ends_where_the_network_is_explained(
    meddle: Meddle, api: RunningApi, browser: Browser, filing: Filing
) -> None:
    async with phone_browser(browser, str(api.http.base_url), words_in("zh"), script=HURRIED) as phone:
        await phone.page.route("**/inspect", meddle)
        await phone.page.goto(await link(api, filing))
        await phone.at("problem_network", look=False)
        await phone.page.unroute("**/inspect")
        await phone.tap("again")
        await phone.at("who", look=False)


async def test_without_javascript_the_way_to_the_window_is_shown(api: RunningApi, browser: Browser) -> None:
    async with phone_browser(browser, str(api.http.base_url), words_in("zh"), java_script_enabled=False) as phone:
        await phone.page.goto(str(api.http.base_url))
        shown = await phone.page.locator("#main").inner_text()
        assert "请启用 JavaScript" in shown
        assert "登记窗口" in shown
        assert "正在打开" not in shown
