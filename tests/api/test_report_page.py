"""The page on which a person says "this was not me", in a real browser."""

from typing import Any

import httpx
import pytest
from browser_phone import CHROMIUM, phone_browser, words_in
from playwright.async_api import Browser
from running_service import RunningApi

from benchmarks.registration import Filing, Registrant, Registration

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")


async def notice_of(api: RunningApi, filing: Filing) -> str:
    path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/dispute-links"
    return str((await api.http.post(path)).json()["url"])


async def disputed(api: RunningApi, filing: Filing) -> bool:
    return bool((await api.desk.state(filing))["subjects"][0]["disputed"])


@pytest.mark.parametrize(("language", "view"), [("zh-CN", {}), ("en-GB", {"color_scheme": "dark"})])
async def test_a_person_sees_what_was_done_and_reports_it_in_two_taps(
    language: str, view: dict[str, Any], api: RunningApi, browser: Browser, filing: Filing
) -> None:
    address, words = await notice_of(api, filing), words_in(language[:2])
    async with phone_browser(browser, str(api.http.base_url), words, language=language, **view) as phone:
        await phone.page.goto(address)
        await phone.at("report")
        seen = await phone.page.locator("#main").inner_text()
        assert all(text in seen for text in ("window 1", "张**", words["report_never"], words["report_note_never"]))
        assert words["report_note"] not in seen
        await phone.tap("report_button")
        await phone.at("report_sure")
        assert not await disputed(api, filing)
        await phone.tap("report_sure")
        await phone.at("reported")
        assert await disputed(api, filing)
        await phone.page.reload()
        await phone.at("reported", look=False)
        phone.nothing_wrong()


async def test_who_was_verified_is_told_that_it_was_done(
    api: RunningApi, browser: Browser, portraits: dict[str, bytes]
) -> None:
    _, key = await api.services.clients.create("window 1", mode="test")
    words, photo = words_in("zh"), portraits["person_a_1"]
    person = Registrant(name="Test Accepted", role="shareholder", id_number="E12345678", photo=photo)
    async with httpx.AsyncClient(base_url=api.http.base_url, headers={"Authorization": f"Bearer {key}"}) as http:
        filing = await Registration(http).open(person)
        path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}"
        await http.post(f"/v1/test{path.removeprefix('/v1')}/simulate")
        address = (await http.post(f"{path}/dispute-links")).json()["url"]
    async with phone_browser(browser, str(api.http.base_url), words) as phone:
        await phone.page.goto(address)
        await phone.at("report", name="report-verified")
        seen = await phone.page.locator("#main").inner_text()
        assert words["report_note"] in seen
        assert words["report_never"] not in seen
        phone.nothing_wrong()


async def test_whoever_it_was_after_all_changes_nothing(api: RunningApi, browser: Browser, filing: Filing) -> None:
    async with phone_browser(browser, str(api.http.base_url), words_in("zh")) as phone:
        await phone.page.goto(await notice_of(api, filing))
        await phone.at("report", look=False)
        await phone.tap("report_button")
        await phone.tap("report_not_yet")
        await phone.tap("report_mine")
        await phone.at("report_mine")
        await phone.page.locator("#language").click()
        await phone.page.get_by_role("heading", name=words_in("en")["report_mine_title"]).wait_for()
        phone.nothing_wrong()
    assert not await disputed(api, filing)


async def test_a_report_that_fails_twice_can_be_made_at_the_third_try(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words, asked = words_in("zh"), "**/v1/disputes"
    async with phone_browser(browser, str(api.http.base_url), words) as phone:
        await phone.page.goto(await notice_of(api, filing))
        await phone.at("report", look=False)
        await phone.page.route(asked, lambda route: route.abort())
        await phone.tap("report_button")
        await phone.tap("report_sure")
        await phone.at("problem_network")
        await phone.tap("again")
        await phone.page.locator("#main button:disabled").wait_for(state="detached")
        await phone.page.unroute(asked)
        await phone.tap("again")
        await phone.at("reported", look=False)
        phone.nothing_wrong()
    assert await disputed(api, filing)


async def test_links_that_lead_nowhere_say_why(api: RunningApi, browser: Browser) -> None:
    base = f"{str(api.http.base_url).rstrip('/')}/report"
    async with phone_browser(browser, base.removesuffix("report"), words_in("zh")) as phone:
        await phone.page.goto(base)
        await phone.at("no_link")
        await phone.page.goto(f"{base}#nonsense")
        await phone.at("problem_dispute_unknown")
        phone.nothing_wrong()
