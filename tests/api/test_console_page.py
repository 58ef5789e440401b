"""The console in a real browser: every page in both languages, wide and narrow, light and dark, and what renews."""

from random import Random
from time import perf_counter

import pytest
from browser_phone import CHROMIUM, PhoneBrowser, phone_browser
from playwright.async_api import Browser
from registry_office import CONVINCING, IMPOSTOR
from running_service import RunningApi, registrant

from api.console.pages import words
from benchmarks.phone.online import Phone
from benchmarks.phone.person import Actor
from benchmarks.registration import Filing
from verify.decision import Accepted, Decision, Reason, Referred, Rejected, Retry
from verify.fraud import FraudSign

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")

LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
DESKTOP, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
PAGES = {
    "overview": "",
    "outcomes": "/outcomes",
    "signals": "/signals",
    "latency": "/latency",
    "cases": "/cases",
    "audit": "/audit",
    "checkpoints": "/checkpoints",
    "operators": "/operators",
    "system": "/system",
    "problem": "/cases/case_aaaaaaaaaaaaaaaa",
}
ENDINGS: tuple[tuple[Decision, int], ...] = (
    (Accepted(), 60),
    (Retry(Reason.CUE_NOT_ANSWERED), 9),
    (Retry(Reason.TOO_DARK), 5),
    (Rejected(Reason.MISMATCH), 3),
    (Rejected(Reason.LIVENESS, "relief"), 5),
    (Rejected(Reason.LIVENESS, "unrepeated"), 2),
    (Rejected(Reason.FRAUD, "same_frames"), 1),
    (Referred(Reason.LIVENESS_INCONCLUSIVE, "light"), 4),
)


@pytest.fixture
async def busy(api: RunningApi, portraits: dict[str, bytes]) -> Filing:
    """A service on a usual day: cases in several states, sessions of a day, stages that ran."""
    people = [registrant(portraits["person_a_1"], id_number=f"E5000000{number}") for number in range(3)]
    filing = await api.desk.open(*people)
    for _ in range(3):
        cancelled = await api.desk.open(people[0])
        await api.http.post(f"/v1/cases/{cancelled.id}/cancel", json={"reason": "withdrawn"})
    phone = Phone(http=api.http, actor=Actor, rng=None)
    grant = await phone.agree(await api.desk.invite(filing, filing.subjects[0]))
    for evidence in (IMPOSTOR, CONVINCING):
        attempt = await phone.open(grant)
        claim = await api.services.sessions.claim(attempt.session_id, attempt.secret)
        await api.services.sessions.finish(claim, evidence)
    await api.services.sequencer.round()
    rng, now = Random(4), await api.services.store.now()
    ends, weights = zip(*ENDINGS, strict=True)
    for _ in range(60):
        decision = rng.choices(ends, weights)[0]
        signs = (FraudSign(name="pace", does="flag"),) if rng.random() < 0.1 else ()
        await api.services.tally.count("live", decision, signs, now=now - rng.triangular(0, 86400, 20000))
    for stage, middle in (("live_frame", 0.04), ("decide", 0.06), ("reference", 0.09), ("claim", 0.004)):
        for _ in range(300):
            api.services.metrics.latencies.note(stage, rng.lognormvariate(0, 0.3) * middle, now=perf_counter())
    return filing


async def sign_in(console: PhoneBrowser, api: RunningApi, role: str) -> None:
    _, key = await api.services.operators.create("Li Hua", role=role)
    await console.page.goto(f"{console.base}/ops")
    await console.page.get_by_label(console.words["sign_in"]["key"]).fill(key)
    await console.page.get_by_role("button", name=console.words["sign_in"]["button"]).click()
    await console.page.get_by_role("heading", name=console.words["overview"]["heading"], level=1).wait_for()


async def look(console: PhoneBrowser, name: str) -> None:
    """No accessibility violation, nothing wider than the screen, and a picture of each width if wanted."""
    await console.page.set_viewport_size(DESKTOP)
    await console.check(f"console-{name}")
    await console.page.set_viewport_size(NARROW)
    assert await console.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} overflows"
    await console.picture(f"console-{name}-phone")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_whole_for_everybody(
    language: str, api: RunningApi, browser: Browser, busy: Filing
) -> None:
    base, told = str(api.http.base_url).rstrip("/"), dict(words(language))
    async with phone_browser(browser, base, told, language=LANGUAGES[language], viewport=DESKTOP) as console:
        await console.page.goto(f"{base}/ops/sign-in")
        await look(console, "sign-in")
        await sign_in(console, api, "auditor")
        for name, path in PAGES.items():
            await console.page.goto(f"{base}/ops{path}")
            await look(console, name)
        await console.page.goto(f"{base}/ops/cases/{busy.id}")
        await console.page.get_by_role("button", name=told["case"]["verify"]).click()
        await console.page.get_by_role("status").wait_for()
        await look(console, "case")
        await console.page.get_by_role("button", name=told["sign_in"]["out"]).click()
        await console.page.get_by_label(told["sign_in"]["key"]).wait_for()
        console.nothing_wrong()


async def test_it_is_as_good_in_the_dark_and_for_a_viewer(api: RunningApi, browser: Browser, busy: Filing) -> None:
    base = str(api.http.base_url).rstrip("/")
    async with phone_browser(browser, base, dict(words("zh")), viewport=DESKTOP, color_scheme="dark") as console:
        await sign_in(console, api, "viewer")
        for name, path in {"overview": "", "outcomes": "/outcomes", "case": f"/cases/{busy.id}"}.items():
            await console.page.goto(f"{base}/ops{path}")
            await look(console, f"{name}-dark")
        console.nothing_wrong()


async def test_the_overview_renews_itself_until_the_session_ends(api: RunningApi, browser: Browser) -> None:
    base = str(api.http.base_url).rstrip("/")
    async with phone_browser(browser, base, dict(words("en")), language="en-GB", viewport=DESKTOP) as console:
        await console.page.clock.install()
        await sign_in(console, api, "viewer")
        await api.services.store.ledger.note_faces("case_renewed", 77_777)
        await console.page.clock.run_for(6000)
        stored = await api.services.store.ledger.stored_faces()
        await console.page.get_by_text(str(stored), exact=True).wait_for()
        await api.services.store.ledger.note_faces("case_renewed", 0)
        await api.services.operators.revoke((await api.services.operators.list())[-1].id)
        await console.page.clock.run_for(6000)
        await console.page.get_by_label(console.words["sign_in"]["key"]).wait_for()
        console.nothing_wrong()
