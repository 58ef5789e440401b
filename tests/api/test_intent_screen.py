"""What one confirms, in a real browser: to be read on a small phone, and heard."""

from base64 import b64encode
from secrets import randbelow

import pytest
from browser_phone import CHROMIUM, phone_browser, words_in
from playwright.async_api import Browser
from running_service import RunningApi

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
DIGEST = "70fa1c5e" * 8
LINES = """
(figure) => {
  const text = document.querySelector('.statement').firstChild, range = document.createRange();
  const at = text.data.replaceAll('\\u00a0', ' ').indexOf(figure);
  range.setStart(text, at);
  range.setEnd(text, at + figure.length);
  return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
}
"""


async def link(api: RunningApi, photo: bytes) -> str:
    subject = {
        "name": "张三丰",
        "role": "shareholder",
        "share_percent": "33.333333",
        "id_document": {"type": "passport", "number": f"E{randbelow(10**8):08d}"},
        "reference": {"photo": b64encode(photo).decode(), "provenance": "authority"},
    }
    details = {
        "company_name": "上海示例智能科技有限公司",
        "registered_capital": {"amount": "1000000", "currency": "CNY"},
    }
    filing = {"action": "capital.increase", "document_sha256": DIGEST, "subjects": [subject], "details": details}
    case = (await api.http.post("/v1/cases", json=filing)).json()
    path = f"/v1/cases/{case['id']}/subjects/{case['subjects'][0]['id']}/invites"
    return str((await api.http.post(path)).json()["url"])


@pytest.mark.parametrize(
    ("language", "width", "figures"),
    [
        ("zh-CN", 320, ("33.333333%", "1,000,000")),
        ("zh-CN", 360, ("33.333333%", "1,000,000")),
        ("zh-CN", 375, ("33.333333%", "1,000,000")),
        ("en-GB", 320, ("33.333333 %", "CNY 1,000,000")),
        ("en-GB", 360, ("33.333333 %", "CNY 1,000,000")),
    ],
)
async def test_figures_are_whole_and_the_digest_is_last(
    language: str,
    width: int,
    figures: tuple[str, ...],
    *,
    browser: Browser,
    api: RunningApi,
    portraits: dict[str, bytes],
) -> None:
    words = words_in(language[:2])
    view = {"width": width, "height": 640}
    async with phone_browser(browser, str(api.http.base_url), words, language=language, viewport=view) as phone:
        await phone.page.goto(await link(api, portraits["person_a_1"]))
        for screen, tapped in (("who", "continue"), ("consent", "agree")):
            await phone.at(screen, name=f"{screen}-{width}")
            await phone.tap(tapped)
        await phone.at("intent", name=f"intent-{width}")
        assert [await phone.page.evaluate(LINES, figure) for figure in figures] == [1] * len(figures)
        assert DIGEST not in await phone.page.locator(".statement").inner_text()
        assert await phone.page.locator(".card > :last-child code").inner_text() == DIGEST
        heard = await phone.page.locator("#main").aria_snapshot()
        assert "7 0 f a … 1 c 5 e" in heard
        assert DIGEST not in heard
        phone.nothing_wrong()
