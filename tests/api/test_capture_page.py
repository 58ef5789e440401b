"""The capture page in a real browser: the whole way from case to redeemed token, the unhappy ways, and its words."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
from browser_phone import CHROMIUM, FAST_4G, PhoneBrowser, Scene, phone_browser, words_in
from playwright.async_api import Browser, Route, WebSocketRoute
from prefix_proxy import proxying
from running_service import RunningApi, registrant, running_api

from api.settings import Settings
from benchmarks.phone.casting import living
from benchmarks.phone.person import StillPerson
from benchmarks.registration import Filing
from liveness.challenge import Cue
from liveness.prompts import Guidance
from models.engine import Engine
from verify.decision import _PUBLIC_RETRY, NOT_VERIFIED

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
FIRST_VIEW_BYTES = 100_000
VERIFY_SECONDS = 100
GROSS_SECONDS = 8


def keys_of(words: object, path: str = "") -> set[str]:
    if not isinstance(words, dict):
        return {path}
    return {key for name, part in words.items() for key in keys_of(part, f"{path}.{name}")}


def test_both_languages_have_the_same_words() -> None:
    assert keys_of(words_in("zh")) == keys_of(words_in("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_the_service_tells_a_phone_has_words(language: str) -> None:
    words = words_in(language)
    assert set(words["guide"]) == {str(code) for code in Guidance}
    assert set(words["cue"]) == {str(cue) for cue in Cue}
    assert set(words["retry"]) == {*_PUBLIC_RETRY.values(), "try_again"}
    assert (set(words["rejected"]), set(words["referred"])) == ({NOT_VERIFIED}, {"use_window"})


async def test_the_page_may_load_and_ask_nothing_but_this_service(api: RunningApi) -> None:
    page = await api.http.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"connect-src 'self' {api.websocket_base};" in policy
    assert "unsafe" not in policy
    assert "://" not in page.text


async def link(api: RunningApi, filing: Filing, *, return_url: str | None = None) -> str:
    if return_url is not None:
        client = await api.services.clients.authenticate(api.http.headers["Authorization"].removeprefix("Bearer "))
        await api.services.clients.let_return_to(client.id, [str(api.http.base_url)])
    path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites"
    return str((await api.http.post(path, json={"return_url": return_url})).json()["url"])


async def agree(phone: Any) -> None:
    for screen, words in (("who", "continue"), ("consent", "agree"), ("intent", "intent_button")):
        await phone.at(screen)
        await phone.tap(words)
    await phone.at("camera")


@needs_chromium
async def test_from_the_case_to_the_redeemed_token(
    api: RunningApi, browser: Browser, portraits: dict[str, bytes], engine: Engine
) -> None:
    filing = await api.desk.open(registrant(portraits["person_a_1"], id_number="E22345672"))
    person = living(portraits["person_a_1"], engine=engine, rng=Random(3), room_lux=150)
    base, words = str(api.http.base_url), words_in("zh")
    async with phone_browser(browser, base, words, scene=Scene(person)) as phone:
        await verified(phone, await link(api, filing))
    token = await api.desk.mint(filing, filing.subjects[0])
    assert (await api.desk.redeem(filing, filing.subjects[0], token)).status_code == 200


@needs_chromium
async def test_everything_works_below_a_path_of_a_proxy(
    browser: Browser, portraits: dict[str, bytes], engine: Engine, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, port=0, workers=2)
    person = living(portraits["person_a_1"], engine=engine, rng=Random(3), room_lux=150)
    async with proxying("/verify") as proxy, running_api(settings, engine, public_url=proxy.url) as api:
        proxy.target = api.http.base_url.port or 0
        filing = await api.desk.open(registrant(portraits["person_a_1"], id_number="E22345673"))
        address = await link(api, filing)
        assert address.startswith(f"{proxy.url}/#")
        words = words_in("en")
        async with phone_browser(browser, proxy.url, words, language="en-GB", scene=Scene(person)) as phone:
            await verified(phone, address)


async def verified(phone: PhoneBrowser, address: str) -> None:
    """The whole way of a person, from the link to the result."""
    await phone.page.goto(address)
    await agree(phone)
    sizes = [await request.sizes() for request in phone.requests]
    assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) < FIRST_VIEW_BYTES
    await phone.tap("open_camera")
    await phone.at("ready")
    await phone.tap("start")
    await phone.at("live", look=False)
    await phone.page.locator(".arrow:not([hidden])").wait_for(timeout=60_000)
    await phone.picture("cue")
    await phone.page.locator("#light:not([hidden])").wait_for(timeout=60_000)
    await phone.picture("light")
    try:
        await phone.at("done", seconds=VERIFY_SECONDS)
    except Exception:
        pytest.fail(await phone.page.locator("#main").inner_text())
    await phone.page.reload()
    await phone.at("done", look=False)
    phone.nothing_wrong()


PLAIN_CAMERA = """
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement('canvas');
  canvas.getContext('2d');
  return window.filmed = canvas.captureStream(5);
};
"""
CAMERA = "filmed.getVideoTracks()[0].readyState"


@needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
async def test_screens_that_pass_in_a_moment_are_accessible_too(
    language: str, api: RunningApi, browser: Browser, filing: Filing
) -> None:
    """The prompts come from here, as slowly as it takes to look; everything else is the service's."""
    words, sockets = words_in(language), list[WebSocketRoute]()
    options: dict[str, Any] = {"language": LANGUAGES[language], "script": PLAIN_CAMERA}
    async with phone_browser(browser, str(api.http.base_url), words, **options) as phone:
        await phone.page.route_web_socket("**/stream", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks it
        await phone.page.goto(await link(api, filing))
        await agree(phone)
        await phone.tap("open_camera")
        await phone.at("ready", look=False)
        await phone.tap("start")
        await phone.at("live", look=False)
        socket = sockets[-1]
        socket.send(json.dumps({"type": "claimed", "resume_secret": "x"}))
        socket.send(json.dumps({"type": "light", "colour": "#30ffff", "index": 1, "total": 4, "nonce": "12345678"}))
        await phone.page.locator("#light:not([hidden])").wait_for()
        await phone.check("light-overlay")
        socket.send(json.dumps({"type": "done"}))
        await phone.at("waiting")
        result = {"type": "result", "outcome": "referred", "reason": "use_window", "attempts_left": 0}
        socket.send(json.dumps(result))
        await socket.close()
        await phone.at("referred")
        assert filing.id in await phone.page.locator("#main").inner_text()
        phone.nothing_wrong()


@needs_chromium
async def test_the_first_screen_is_there_soon_on_a_slow_phone(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    """A generous bound: this guards against a chain of requests, not against a busy machine."""
    async with phone_browser(browser, str(api.http.base_url), words_in("zh")) as phone:
        seconds = await phone.seconds_to("who", await link(api, filing), FAST_4G)
        print(f"{FAST_4G.name}: {seconds:.2f} s")
        assert seconds < GROSS_SECONDS


@needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
async def test_declining_asks_once_what_is_lost_also_after_consent(
    language: str, api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words, way = words_in(language), f"{str(api.http.base_url).rstrip('/')}/about?filing=7"
    async with phone_browser(browser, str(api.http.base_url), words, language=LANGUAGES[language]) as phone:
        await phone.page.goto(await link(api, filing, return_url=way))
        await agree(phone)
        await phone.tap("decline")
        await phone.at("decline_sure")
        await phone.tap("back")
        await phone.at("camera", look=False)
        assert (await api.desk.state(filing))["subjects"][0]["state"] == "pending"
        await phone.tap("decline")
        await phone.tap("decline_sure")
        await phone.at("declined")
        await phone.page.get_by_role("link", name=words["return"].replace("{requester}", "window 1")).click()
        await phone.page.wait_for_url(way)
        phone.nothing_wrong()
    assert (await api.desk.state(filing))["subjects"][0]["state"] == "declined"


@needs_chromium
async def test_stopping_a_session_declines_nothing(api: RunningApi, browser: Browser, filing: Filing) -> None:
    words, sockets = words_in("zh"), list[WebSocketRoute]()
    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await phone.page.route_web_socket("**/stream", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks it
        await to_ready(phone, await link(api, filing))
        await phone.tap("start")
        await phone.at("live", look=False)
        await phone.tap("stop")
        await phone.at("stopped")
        assert words["attempts_left"].replace("{n}", "2") in await phone.page.locator("#main").inner_text()
        assert await phone.page.evaluate(CAMERA) == "ended"
        subject = (await api.desk.state(filing))["subjects"][0]
        assert (subject["state"], subject["reference_state"]) == ("pending", "template")
        await phone.tap("retry_button")
        await phone.at("live", look=False)
        phone.nothing_wrong()


@needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
async def test_whoever_has_declined_is_told_what_it_takes_to_verify_after_all(
    language: str, api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words, address = words_in(language), await link(api, filing)
    path = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites"
    async with phone_browser(browser, str(api.http.base_url), words, language=LANGUAGES[language]) as phone:
        await phone.page.goto(address)
        await phone.tap("decline")
        await phone.tap("decline_sure")
        await phone.at("declined", look=False)
        assert (await api.http.post(path)).json()["code"] == "reference_gone"
        anew = {"zh": "重新提交您的资料和证件照片", "en": "hand in your details and ID photo anew"}[language]
        assert anew in await phone.page.locator("#main").inner_text()
        await phone.page.reload()
        await phone.at("problem_invite_revoked", look=False)
        assert anew in await phone.page.locator("#main").inner_text()
        phone.nothing_wrong()


@needs_chromium
async def test_a_long_pause_is_counted_down_without_the_camera_and_ends_with_a_tap(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words = words_in("zh")
    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await phone.page.clock.install()
        await to_ready(phone, await link(api, filing))
        await phone.page.route("**/v1/sessions", refuse("attempts_too_fast", 429, **{"retry-after": "3600"}))
        await phone.tap("start")
        await phone.at("resting")
        assert await phone.page.evaluate(CAMERA) == "ended"
        seen = await phone.page.locator("#main").inner_text()
        assert words["wait_title"] not in seen
        assert filing.id in seen
        await phone.page.clock.fast_forward("58:00")
        await phone.page.get_by_role("timer").get_by_text(" 1 分 ").wait_for()
        await phone.page.unroute("**/v1/sessions")
        await phone.page.clock.fast_forward("02:05")
        await phone.at("rested")
        await phone.tap("open_camera")
        await phone.at("ready", look=False)
        phone.nothing_wrong()


@needs_chromium
async def test_a_short_pause_goes_on_by_itself_and_can_be_left(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words = words_in("zh")
    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await phone.page.clock.install()
        await to_ready(phone, await link(api, filing))
        await phone.page.route("**/v1/sessions", refuse("attempts_too_fast", 429, **{"retry-after": "30"}))
        await phone.tap("start")
        await phone.at("resting", look=False)
        await phone.tap("stop")
        await phone.at("stopped", look=False)
        await phone.page.clock.fast_forward("01:00")
        await phone.at("stopped", look=False)
        await phone.tap("retry_button")
        await phone.at("resting", look=False)
        await phone.page.unroute("**/v1/sessions")
        await phone.page.clock.fast_forward("00:31")
        await phone.at("live", look=False)
        phone.nothing_wrong()


@needs_chromium
async def test_waiting_for_a_place_can_be_left_and_after_long_one_taps(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words = words_in("zh")
    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await phone.page.clock.install()
        await to_ready(phone, await link(api, filing))
        await phone.page.route("**/v1/sessions", refuse("overloaded", 503, **{"retry-after": "20"}))
        await phone.tap("start")
        await phone.at("waiting")
        await phone.tap("stop")
        await phone.at("stopped", look=False)
        assert await phone.page.evaluate(CAMERA) == "ended"
        async with phone.page.expect_response("**/v1/sessions"):
            await phone.tap("retry_button")
        for _ in range(2):
            await phone.at("waiting", look=False)
            async with phone.page.expect_response("**/v1/sessions"):
                await phone.page.clock.fast_forward("00:21")
        await phone.page.unroute("**/v1/sessions")
        await phone.page.clock.fast_forward("00:21")
        await phone.at("ready", look=False)
        await phone.tap("start")
        await phone.at("live", look=False)
        phone.nothing_wrong()


DROPPABLE = """
const Real = WebSocket;
window.WebSocket = class extends Real { constructor(...given) { super(...given); window.lastSocket = this } };
"""


@needs_chromium
async def test_a_dropped_connection_resumes_and_whoever_follows_no_cue_may_try_again(
    api: RunningApi, browser: Browser, portraits: dict[str, bytes], engine: Engine
) -> None:
    photo, words = portraits["person_a_1"], words_in("zh")
    filing = await api.desk.open(registrant(photo, id_number="E22345670"))
    still = StillPerson(living(photo, engine=engine, rng=Random(3))._head, Random(3))
    async with phone_browser(browser, str(api.http.base_url), words, scene=Scene(still), script=DROPPABLE) as phone:
        await phone.page.goto(await link(api, filing))
        await agree(phone)
        await phone.tap("open_camera")
        await phone.at("ready", look=False)
        await phone.tap("start")
        await phone.page.locator(".arrow:not([hidden])").wait_for(timeout=60_000)
        await phone.check("live")
        await phone.page.evaluate("lastSocket.close()")
        await phone.page.get_by_text(words["reconnecting"]).wait_for()
        await phone.at("retry", seconds=40)
        assert words["retry"]["follow_the_cues"] in await phone.page.locator("#main").inner_text()
        assert words["attempts_left"].replace("{n}", "2") in await phone.page.locator("#main").inner_text()
        phone.nothing_wrong()


@needs_chromium
async def test_whoever_finds_the_service_full_waits_and_loses_no_attempt(
    api: RunningApi, browser: Browser, portraits: dict[str, bytes], engine: Engine
) -> None:
    photo, words, admission = portraits["person_a_1"], words_in("zh"), api.services.live.admission
    filing = await api.desk.open(registrant(photo, id_number="E22345673"))
    still = StillPerson(living(photo, engine=engine, rng=Random(3))._head, Random(3))
    async with phone_browser(browser, str(api.http.base_url), words, scene=Scene(still)) as phone:
        await phone.page.goto(await link(api, filing))
        await agree(phone)
        await phone.tap("open_camera")
        await phone.at("ready", look=False)
        places = api.services.settings.live_sessions
        for _ in range(places):
            admission.admit()
        await phone.tap("start")
        await phone.page.get_by_text(words["busy_title"]).wait_for()
        for _ in range(places):
            admission.release()
        await phone.at("live", look=False)
    (invite,) = (await api.services.store.load(filing.id))[0].invites.values()
    assert invite.attempts_left == 2


@needs_chromium
async def test_another_person_is_refused_and_shown_the_window(
    api: RunningApi, browser: Browser, portraits: dict[str, bytes], engine: Engine
) -> None:
    filing = await api.desk.open(registrant(portraits["person_a_1"], id_number="E22345671"))
    other = living(portraits["person_b_1"], engine=engine, rng=Random(3), room_lux=150)
    words, base = words_in("en"), str(api.http.base_url)
    async with phone_browser(browser, base, words, language="en-GB", scene=Scene(other)) as phone:
        await phone.page.goto(await link(api, filing))
        await agree(phone)
        await phone.tap("open_camera")
        await phone.at("ready", look=False)
        await phone.tap("start")
        await phone.at("rejected", seconds=VERIFY_SECONDS)
        assert filing.id in await phone.page.locator("#main").inner_text()
        phone.nothing_wrong()


@needs_chromium
async def test_a_wrong_clock_is_mentioned_and_does_not_matter(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words, script = words_in("zh"), "Date.now = () => 1e12"
    async with phone_browser(browser, str(api.http.base_url), words, script=script) as phone:
        await phone.page.goto(await link(api, filing))
        await phone.at("who", name="who-clock")
        await phone.page.get_by_text(words["clock_note"]).wait_for()
        phone.nothing_wrong()


FAILING = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', '%s') }"
WITHOUT = "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})"
REAR = (
    "navigator.mediaDevices.getUserMedia = async () => ({getTracks: () => [], "
    "getVideoTracks: () => [{getSettings: () => ({facingMode: 'environment'})}]})"
)
WECHAT = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/116 Mobile MicroMessenger/8.0.50"


@needs_chromium
async def test_the_window_is_told_no_number_that_is_not_there(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words = words_in("zh")
    async with phone_browser(browser, str(api.http.base_url), words) as phone:
        await phone.page.route("**/v1/invites/inspect", refuse("invite_expired", 410))
        await phone.page.goto(await link(api, filing))
        await phone.at("problem_invite_expired")
        seen = await phone.page.locator("#main").inner_text()
        assert words["window_note_alone"] in seen
        assert words["window_note"] not in seen
        phone.nothing_wrong()


@needs_chromium
async def test_each_trouble_with_the_camera_is_explained(api: RunningApi, browser: Browser, filing: Filing) -> None:
    troubles = {
        "permission": {"script": FAILING % "NotAllowedError"},
        "no_camera": {"script": FAILING % "NotFoundError"},
        "camera_busy": {"script": FAILING % "NotReadableError"},
        "rear": {"script": REAR},
        "unsupported": {"script": WITHOUT},
        "in_app": {"script": WITHOUT, "user_agent": WECHAT},
        "in_app ": {"script": FAILING % "NotAllowedError", "user_agent": WECHAT},
    }
    words, address = words_in("zh"), await link(api, filing)
    for number, (name, options) in enumerate(troubles.items()):
        async with phone_browser(browser, str(api.http.base_url), words, **options) as phone:
            await phone.page.goto(address)
            if number == 0:
                await agree(phone)
            await phone.at("camera", look=False)
            await phone.tap("open_camera")
            await phone.at(f"device_{name.strip()}")
            phone.nothing_wrong()


LOSE_CAMERA = """
(() => { const [track] = filmed.getTracks(); track.stop(); track.dispatchEvent(new Event('ended')) })()
"""


@needs_chromium
@pytest.mark.parametrize("at", ["ready", "live"])
async def test_a_camera_that_ends_is_noticed_and_opened_anew(
    at: str, api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words, sockets = words_in("zh"), list[WebSocketRoute]()
    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await phone.page.route_web_socket("**/stream", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks it
        await to_ready(phone, await link(api, filing))
        if at == "live":
            await phone.tap("start")
            await phone.at("live", look=False)
        await phone.page.evaluate(LOSE_CAMERA)
        await phone.at("device_ended")
        await phone.tap("again")
        await phone.tap("open_camera")
        await phone.at("ready", look=False)
        assert await phone.page.evaluate(CAMERA) == "live"
        phone.nothing_wrong()


@needs_chromium
async def test_a_camera_that_ended_unnoticed_is_opened_again_for_a_session(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    async with phone_browser(browser, str(api.http.base_url), words_in("zh"), script=PLAIN_CAMERA) as phone:
        await to_ready(phone, await link(api, filing))
        await phone.page.evaluate("filmed.getTracks()[0].stop()")
        await phone.tap("start")
        await phone.at("live", look=False)
        assert await phone.page.evaluate(CAMERA) == "live"
        phone.nothing_wrong()


WHEN = "new Promise((done) => { const look = () => (%s) ? done() : setTimeout(look, 20); look() })"
SLOW_CAMERA = f"""{PLAIN_CAMERA}
const opening = navigator.mediaDevices.getUserMedia;
navigator.mediaDevices.getUserMedia = async () => {{
  await new Promise((allow) => {{ window.allow = allow }});
  return opening();
}};
"""


@needs_chromium
async def test_a_camera_that_is_allowed_too_late_is_closed_again(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    async with phone_browser(browser, str(api.http.base_url), words_in("zh"), script=SLOW_CAMERA) as phone:
        await phone.page.goto(await link(api, filing))
        await agree(phone)
        await phone.tap("open_camera")
        await phone.page.evaluate(WHEN % "window.allow")
        await phone.tap("decline")
        await phone.at("decline_sure", look=False)
        await phone.page.evaluate("allow()")
        await phone.page.evaluate(WHEN % f"window.filmed && {CAMERA} === 'ended'")
        await phone.at("decline_sure", look=False)
        phone.nothing_wrong()


@needs_chromium
async def test_another_link_in_the_same_tab_takes_nothing_along(
    api: RunningApi, browser: Browser, filing: Filing, portraits: dict[str, bytes]
) -> None:
    words, sockets = words_in("zh"), list[WebSocketRoute]()
    other = await api.desk.open(registrant(portraits["person_b_1"], id_number="E22345674"))
    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await phone.page.route_web_socket("**/stream", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks it
        await phone.page.goto(await link(api, filing))
        await agree(phone)
        await phone.page.get_by_text(words["without_turns"]).click()
        await phone.tap("open_camera")
        await phone.tap("start")
        await phone.at("live", look=False)
        await phone.page.goto(await link(api, other))
        await agree(phone)
        assert await phone.page.locator("input:checked").count() == 0
        assert await phone.page.evaluate("window.filmed") is None
        phone.nothing_wrong()


CLIPBOARD = """
Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) => { window.taken = text }}});
"""
NO_CLIPBOARD = """
const none = {writeText: async () => { throw new DOMException('no', 'NotAllowedError') }};
Object.defineProperty(navigator, 'clipboard', {value: none});
document.execCommand = () => false;
"""


@needs_chromium
@pytest.mark.parametrize(("script", "words_then"), [(CLIPBOARD, "copied"), (NO_CLIPBOARD, "copy_by_hand")])
async def test_a_link_counts_as_copied_only_if_it_was(
    script: str, words_then: str, api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words, address, refused = words_in("zh"), await link(api, filing), FAILING % "NotAllowedError"
    options: dict[str, Any] = {"script": f"{script};{refused}", "user_agent": WECHAT}
    async with phone_browser(browser, str(api.http.base_url), words, **options) as phone:
        await phone.page.goto(address)
        await agree(phone)
        await phone.tap("open_camera")
        await phone.at("device_in_app", look=False)
        await phone.tap("copy")
        await phone.page.get_by_text(words[words_then]).wait_for()
        await phone.check(words_then)
        assert (words["copied"] in await phone.page.locator("#main").inner_text()) is (words_then == "copied")
        assert await phone.page.evaluate("window.taken") == (address if words_then == "copied" else None)
        assert await phone.page.locator("#main button:disabled").count() == 0
        phone.nothing_wrong()


@needs_chromium
async def test_a_desktop_hands_over_to_a_phone(api: RunningApi, browser: Browser, filing: Filing) -> None:
    words, address = words_in("zh"), await link(api, filing)
    async with phone_browser(browser, str(api.http.base_url), words, has_touch=False) as desktop:
        await desktop.page.goto(address)
        await desktop.at("who", look=False)
        await desktop.tap("hand_off")
        await desktop.at("hand_off")
        shown = cv2.imdecode(np.frombuffer(await desktop.page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        assert cv2.QRCodeDetectorAruco().detectAndDecode(shown)[0] == address  # the other one misses some codes
        async with phone_browser(browser, str(api.http.base_url), words) as phone:
            await phone.page.goto(address)
            await agree(phone)
        exchanged = await api.http.post("/v1/invites/exchange", json={"code": address.split("#")[1]})
        assert exchanged.status_code == 200
        await desktop.at("handed_over")
        desktop.nothing_wrong()


@needs_chromium
async def test_links_that_lead_nowhere_say_why(api: RunningApi, browser: Browser, filing: Filing) -> None:
    old = await link(api, filing)
    used = await link(api, filing)
    base, code = str(api.http.base_url), used.split("#")[1]
    async with phone_browser(browser, base, words_in("en"), language="en-GB") as phone:
        await phone.page.goto(base)
        await phone.at("no_link")
        await phone.page.goto(base + "/#nonsense")
        await phone.at("problem_invite_unknown")
        assert await phone.page.locator("#main .card").count() == 0
        await phone.page.goto(old)
        await phone.at("problem_invite_revoked")
        await phone.page.goto(used)
        await agree(phone)
        assert (await api.http.post("/v1/invites/exchange", json={"code": code})).status_code == 200
        await phone.page.reload()
        await phone.at("problem_invite_used")
        await phone.page.locator("#language").click()
        await phone.page.get_by_role("heading", name=words_in("zh")["problem"]["invite_used"][0]).wait_for()
        phone.nothing_wrong()


def refuse(code: str, status: int = 409, **headers: str) -> Callable[[Route], Awaitable[None]]:
    """An answer of the service's form in its place."""
    body = json.dumps({"code": code})
    kind = "application/problem+json"

    async def answer(route: Route) -> None:
        await route.fulfill(status=status, content_type=kind, headers=headers, body=body)

    return answer


async def to_ready(phone: PhoneBrowser, address: str) -> None:
    await phone.page.goto(address)
    await agree(phone)
    await phone.tap("open_camera")
    await phone.at("ready", look=False)


async def trying_again(phone: PhoneBrowser) -> None:
    """Until the answer to the next try is there."""
    await phone.page.get_by_role("button", name=phone.words["again"]).click()
    await phone.page.locator("#main button:disabled").wait_for(state="detached")


@needs_chromium
async def test_a_try_after_a_failed_try_tells_what_came_of_it(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words, asked = words_in("zh"), "**/v1/invites/exchange"
    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await to_ready(phone, await link(api, filing))
        await phone.page.route(asked, lambda route: route.abort())
        await phone.tap("start")
        await phone.at("problem_network", look=False)
        for _ in range(2):
            await trying_again(phone)
            await phone.at("problem_network", look=False)
        await phone.page.unroute(asked)
        await phone.page.route(asked, refuse("invite_used"))
        await trying_again(phone)
        await phone.at("problem_invite_used", look=False)
        phone.nothing_wrong()


KEPT = "Object.keys(localStorage).filter((key) => key.startsWith('heyan-grant-'))"


@needs_chromium
async def test_a_lost_answer_or_a_closed_page_costs_no_link(api: RunningApi, browser: Browser, filing: Filing) -> None:
    words, address = words_in("zh"), await link(api, filing)
    sockets: list[WebSocketRoute] = []

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await phone.page.context.route_web_socket("**/stream", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks it
        await to_ready(phone, address)
        await phone.page.route("**/v1/invites/exchange", lose)
        await phone.tap("start")
        await phone.at("problem_network", look=False)
        await phone.page.unroute("**/v1/invites/exchange")
        await phone.tap("again")
        await phone.at("live", look=False)
        assert address.split(".")[-1] not in str(await phone.page.evaluate("JSON.stringify(localStorage)"))
        context = phone.page.context
        await phone.page.close()
        phone.page = await context.new_page()
        await phone.page.add_init_script(PLAIN_CAMERA)
        await phone.page.goto(address)
        await phone.at("camera", look=False)
        await phone.tap("open_camera")
        await phone.tap("start")
        await phone.at("live", look=False)
        assert len(await phone.page.evaluate(KEPT)) == 1
        await phone.tap("stop")
        await phone.tap("decline")
        await phone.tap("decline_sure")
        await phone.at("declined", look=False)
        assert await phone.page.evaluate(KEPT) == []
        phone.nothing_wrong()


@needs_chromium
async def test_a_session_that_was_tried_again_and_fails_leaves_no_camera_on(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    words, sockets = words_in("zh"), list[WebSocketRoute]()
    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await phone.page.route_web_socket("**/stream", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks it
        await to_ready(phone, await link(api, filing))
        await phone.page.route("**/v1/sessions", lambda route: route.abort())
        await phone.tap("start")
        await phone.at("problem_network", look=False)
        await phone.page.unroute("**/v1/sessions")
        await phone.tap("again")
        await phone.at("live", look=False)
        sockets[-1].send(json.dumps({"type": "problem", "code": "session_expired"}))
        await sockets[-1].close()
        await phone.at("problem_session_expired", look=False)
        assert await phone.page.evaluate(CAMERA) == "ended"
        phone.nothing_wrong()


async def verified_since(route: Route) -> None:
    answer = await route.fetch()
    await route.fulfill(response=answer, json={**await answer.json(), "ended": "already_verified"})


@needs_chromium
async def test_a_page_that_is_loaded_again_knows_what_is_final(
    api: RunningApi, browser: Browser, filing: Filing
) -> None:
    blank = cv2.imencode(".jpg", np.full((400, 300, 3), 128, np.uint8))[1].tobytes()
    faceless = await api.desk.open(registrant(blank, id_number="E22345675"))
    words, way = words_in("zh"), f"{str(api.http.base_url).rstrip('/')}/about?filing=7"
    async with phone_browser(browser, str(api.http.base_url), words, script=PLAIN_CAMERA) as phone:
        await phone.page.goto(await link(api, faceless))
        for button in ("continue", "agree", "intent_button"):
            await phone.tap(button)
        await phone.at("problem_reference_unusable", look=False)
        await phone.page.reload()
        await phone.at("problem_reference_unusable", look=False)
        await phone.page.goto(address := await link(api, filing, return_url=way))
        await agree(phone)
        await phone.page.route("**/v1/invites/inspect", verified_since)
        await phone.page.reload()
        await phone.at("done", look=False)
        await phone.page.unroute("**/v1/invites/inspect")
        grant = (await api.http.post("/v1/invites/exchange", json={"code": address.split("#")[1]})).json()["grant"]
        for _ in range(3):
            await api.http.post("/v1/sessions", headers={"Authorization": f"Bearer {grant}"})
        await phone.page.reload()
        await phone.at("problem_attempts_exhausted")
        assert await phone.page.locator(f"a[href='{way}']").count() == 1
        phone.nothing_wrong()


@needs_chromium
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dark", {"color_scheme": "dark"}),
        ("small", {"viewport": {"width": 320, "height": 568}}),
        ("landscape", {"viewport": {"width": 844, "height": 390}}),
    ],
)
async def test_small_dark_and_turned_screens_hold_the_page(
    name: str, options: dict[str, Any], api: RunningApi, browser: Browser, filing: Filing
) -> None:
    async with phone_browser(browser, str(api.http.base_url), words_in("zh"), **options) as phone:
        await phone.page.goto(await link(api, filing))
        for screen, words in (("who", "continue"), ("consent", "agree"), ("intent", "intent_button")):
            await phone.at(screen, name=f"{screen}-{name}")
            await phone.tap(words)
        await phone.at("camera", name=f"camera-{name}")
        phone.nothing_wrong()
