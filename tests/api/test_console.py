"""The operator console: who sees what, and that nothing personal is on any page."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from re import findall, search
from typing import Any, Literal, get_args

import httpx
import pytest
from begun import begun
from PIL import Image, ImageFilter
from pydantic import SecretStr
from registry_office import CONVINCING, IMPOSTOR
from running_service import RunningApi, registrant
from typer.testing import CliRunner

from api.cli import app
from api.console.access import CONTENT_POLICY, FORM_COOKIE, SESSION_COOKIE
from api.console.pages import words
from api.console.system import TEXTS_SHOWN, settings_shown
from api.settings import Settings
from benchmarks.phone.online import Phone
from benchmarks.phone.person import Actor
from benchmarks.registration import Filing, new_case
from liveness.assessment import SIGNALS
from verify.casefile import (
    CaseState,
    Channel,
    MessageKind,
    MessageState,
    Provenance,
    ReferenceState,
    SessionState,
    VerificationState,
)
from verify.decision import _PUBLIC_RETRY, NOT_VERIFIED, Reason, Rejected
from verify.fraud import FraudEvidence, FraudSign
from verify.fraud_policy import Does
from verify.operators import OPERATORS_CHAIN, WRONG_KEYS, OperatorRole
from verify.oversight import EVENTS
from verify.reference_quality import quality_lines
from verify.standing import Standing
from verify.tally import NONE

PAGES = {
    "viewer": ("", "/live", "/latency", "/outcomes", "/cases", "/checkpoints", "/system"),
    "auditor": ("/signals", "/audit", "/operators"),
}
SECRETS = ("欧阳伊丽莎白", "X98765432", "机密控股有限公司", "对手方甲乙丙", "FILE-4711", "the applicant's own words")


@dataclass(frozen=True, slots=True)
class Desk:
    """A browser without script."""

    http: httpx.AsyncClient

    async def page(self, path: str, status: int = 200) -> str:
        answer = await self.http.get(f"/ops{path}")
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        assert answer.headers["content-security-policy"] == CONTENT_POLICY
        return answer.text

    async def post(self, form_on: str, path: str, **fields: str) -> httpx.Response:
        token = search(r'name="form_token" value="([0-9a-f]{64})"', await self.page(form_on))
        assert token is not None
        return await self.http.post(f"/ops{path}", data={"form_token": token[1], **fields})

    async def sign_in(self, key: str) -> httpx.Response:
        return await self.post("/sign-in", "/sign-in", key=key)


@asynccontextmanager
async def desk_of(api: RunningApi, role: str | None = None) -> AsyncIterator[Desk]:
    """A fresh browser, signed in with a role if one is given."""
    async with httpx.AsyncClient(base_url=api.http.base_url, headers={"accept-language": "en"}) as http:
        desk = Desk(http)
        if role is not None:
            _, key = await api.services.operators.create(f"Li {role}", role=role)
            answer = await desk.sign_in(key)
            assert (answer.status_code, answer.headers["location"]) == (303, "/ops")
        yield desk


@pytest.fixture
async def viewer(api: RunningApi) -> AsyncIterator[Desk]:
    async with desk_of(api, "viewer") as desk:
        yield desk


@pytest.fixture
async def auditor(api: RunningApi) -> AsyncIterator[Desk]:
    async with desk_of(api, "auditor") as desk:
        yield desk


@pytest.fixture
async def decided(api: RunningApi, portraits: dict[str, bytes]) -> Filing:
    """A case full of things that are nobody's business, with a rejected and an accepted session."""
    name, number, company, counterparty, own_number, note = SECRETS
    body = new_case(replace(registrant(portraits["person_a_1"], id_number=number), name=name))
    details = {"company_name": company, "counterparty": counterparty}
    body |= {"details": details, "external_id": own_number, "metadata": {"note": note}}
    filing = Filing(case=(await api.http.post("/v1/cases", json=body)).json())
    phone = Phone(http=api.http, actor=Actor, rng=None)
    grant = await phone.agree(await api.desk.invite(filing, filing.subjects[0]))
    for evidence in (IMPOSTOR, CONVINCING):
        attempt = await phone.open(grant)
        claim = await api.services.sessions.claim(attempt.session_id, attempt.secret)
        await api.services.sessions.finish(claim, evidence)
    await api.services.sequencer.round()
    return filing


# Signing in


async def test_nobody_sees_anything_before_signing_in(api: RunningApi) -> None:
    async with desk_of(api) as desk:
        for path in (*PAGES["viewer"], *PAGES["auditor"], "/cases/case_aaaaaaaaaaaaaaaa"):
            answer = await desk.http.get(f"/ops{path}")
            assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/ops/sign-in", "")
        assert "Operator&#39;s key" in await desk.page("/sign-in")


async def test_cookies_are_for_the_console_and_no_script(api: RunningApi) -> None:
    async with desk_of(api) as desk:
        _, key = await api.services.operators.create("Li 1", role="viewer")
        form = await desk.http.get("/ops/sign-in")
        answer = await desk.sign_in(key)
        cookies = {each.split("=")[0]: each.lower() for each in answer.headers.get_list("set-cookie")}
        cookies |= {each.split("=")[0]: each.lower() for each in form.headers.get_list("set-cookie")}
        assert set(cookies) == {SESSION_COOKIE, FORM_COOKIE}
        for cookie in cookies.values():
            assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/ops", "max-age=3600"))
        assert key not in str(answer.headers)
    object.__setattr__(api.services, "public_url", "https://verify.example/heyan")
    async with desk_of(api) as desk:
        form = await desk.http.get("/ops/sign-in")
        (cookie,) = form.headers.get_list("set-cookie")
        assert "secure" in cookie.lower().split("; ")
        assert "path=/heyan/ops" in cookie.lower()
        assert 'href="/heyan/web/ops.css"' in form.text


async def test_signing_out_and_revoking_end_the_session(api: RunningApi, viewer: Desk) -> None:
    stolen = viewer.http.cookies[SESSION_COOKIE]
    answer = await viewer.post("", "/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ops/sign-in")
    async with desk_of(api, "viewer") as desk:
        await desk.page("")
        newest = (await api.services.operators.list())[-1]
        await api.services.operators.revoke(newest.id)
        assert (await desk.http.get("/ops")).status_code == 303
        desk.http.cookies.set(SESSION_COOKIE, stolen, domain="127.0.0.1", path="/ops")
        assert (await desk.http.get("/ops")).status_code == 303


async def test_a_session_that_ran_out_leads_to_the_form(api: RunningApi, viewer: Desk) -> None:
    for name in await api.services.store._connection.ask("KEYS", "heyan:console:session:*"):
        await api.services.store._connection.ask("DEL", name)
    assert (await viewer.http.get("/ops")).headers["location"] == "/ops/sign-in"


async def test_wrong_keys_get_one_answer_and_are_limited(api: RunningApi) -> None:
    revoked, gone = await api.services.operators.create("Li 1", role="viewer")
    await api.services.operators.revoke(revoked.id)
    _, good = await api.services.operators.create("Li 2", role="viewer")
    async with desk_of(api) as desk:
        answers = [await desk.sign_in(key) for key in (gone, "", "wrong", *["hk_operator_x"] * (WRONG_KEYS - 3))]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.text for answer in answers}) == 1
        for key in ("wrong", good):
            limited = await desk.sign_in(key)
            assert (limited.status_code, 0 < int(limited.headers["retry-after"]) <= 60) == (429, True)
            assert "Too many keys" in limited.text
    for name in await api.services.store._connection.ask("KEYS", "heyan:console:tried:*"):
        await api.services.store._connection.ask("DEL", name)


# Forms


async def test_a_form_of_somebody_else_is_refused(auditor: Desk) -> None:
    for path in ("/sign-in", "/sign-out", "/checkpoints", "/cases/case_aaaaaaaaaaaaaaaa"):
        for fields in ({}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": "钥"}):
            answer = await auditor.http.post(f"/ops{path}", data=fields)
            assert (answer.status_code, "form_refused" in answer.text) == (403, True)
    await auditor.page("")


async def test_a_form_for_another_session_is_refused(api: RunningApi, auditor: Desk) -> None:
    async with desk_of(api, "auditor") as other:
        token = search(r'name="form_token" value="(\w+)"', await other.page(""))
        assert token is not None
        answer = await auditor.http.post("/ops/sign-out", data={"form_token": token[1]})
        assert answer.status_code == 403


async def test_what_is_no_form_is_refused(auditor: Desk) -> None:
    kind = "application/x-www-form-urlencoded"
    for content, said in (
        (b"form_token=" + b"0" * 5000, kind),
        (b"{}", "application/json"),
        (b"\xff", kind),
        (b"", ""),
    ):
        answer = await auditor.http.post("/ops/sign-out", content=content, headers={"content-type": said})
        assert (answer.status_code, "form_refused" in answer.text) == (403, True)


# Roles


async def test_a_viewer_sees_counts_and_no_audit(viewer: Desk, decided: Filing) -> None:
    for path in PAGES["viewer"]:
        assert "/ops/audit" not in await viewer.page(path)
    for path in PAGES["auditor"]:
        assert "role_missing" in await viewer.page(path, 403)
    case = await viewer.page(f"/cases/{decided.id}")
    assert "session finished" in case
    assert "scores_sha256" not in case
    for form_on, path in ((f"/cases/{decided.id}", f"/cases/{decided.id}"), ("/checkpoints", "/checkpoints")):
        assert (await viewer.post(form_on, path)).status_code == 403


async def test_a_viewer_sees_what_an_id_photo_is_warned_of(
    api: RunningApi, viewer: Desk, portraits: dict[str, bytes]
) -> None:
    blurred = BytesIO()
    Image.open(BytesIO(portraits["person_b_1"])).filter(ImageFilter.GaussianBlur(7)).save(blurred, "JPEG", quality=95)
    filing = await api.desk.open(registrant(blurred.getvalue()))
    assert words("en")["reference_warning"]["sharpness"] not in await viewer.page(f"/cases/{filing.id}")
    await Phone(http=api.http, actor=Actor, rng=None).agree(await api.desk.invite(filing, filing.subjects[0]))
    assert words("en")["reference_warning"]["sharpness"] in await viewer.page(f"/cases/{filing.id}")


async def test_an_auditor_searches_and_verifies(auditor: Desk, decided: Filing) -> None:
    for path in (*PAGES["viewer"], *PAGES["auditor"]):
        await auditor.page(path)
    assert "scores_sha256" in await auditor.page(f"/cases/{decided.id}")
    verified = await auditor.post(f"/cases/{decided.id}", f"/cases/{decided.id}")
    assert (verified.status_code, "Intact: " in verified.text) == (200, True)
    log = await auditor.post("/checkpoints", "/checkpoints")
    assert (log.status_code, "Intact: " in log.text) == (200, True)


async def test_a_chain_that_does_not_hold_is_shown(api: RunningApi, auditor: Desk, filing: Filing) -> None:
    ask, chain = api.services.store._connection.ask, f"heyan:{{{filing.id}}}:audit"
    entry = await ask("LINDEX", chain, 0)
    await ask("LSET", chain, 0, entry.replace(b"case.opened", b"case.erased"))
    answer = await auditor.post(f"/cases/{filing.id}", f"/cases/{filing.id}")
    await ask("LSET", chain, 0, entry)
    assert (answer.status_code, "entry_changed" in answer.text, "Intact" in answer.text) == (200, True, False)


async def test_every_look_is_written_down(api: RunningApi, auditor: Desk, decided: Filing) -> None:
    await auditor.page(f"/cases/{decided.id}")
    await auditor.page(f"/cases?case={decided.id}")
    await auditor.page(f"/audit?case={decided.id}&event=session.finished")
    await auditor.post(f"/cases/{decided.id}", f"/cases/{decided.id}")
    log = await api.services.oversight.chain("operators", limit=7)
    me = (await api.services.operators.list())[-1]
    assert {each.entry.actor for each in log.entries} == {f"operator:{me.id}"}
    assert [each.entry.event for each in reversed(log.entries)] == [
        "operator.signed_in",
        "operator.looked",
        "operator.looked",
        "operator.searched",
        "operator.looked",
        "operator.verified",
        "operator.looked",
    ]
    assert {each.entry.details.get("case", decided.id) for each in log.entries} == {decided.id}
    shown = await auditor.page("/operators")
    assert "operator looked at a case" in shown


# What the pages show


async def test_nothing_personal_is_on_any_page(auditor: Desk, decided: Filing) -> None:
    paths = [*PAGES["viewer"], *PAGES["auditor"], f"/cases/{decided.id}", f"/audit?case={decided.id}"]
    pages = [await auditor.page(path) for path in paths]
    pages.append((await auditor.post(f"/cases/{decided.id}", f"/cases/{decided.id}")).text)
    assert [secret for secret in SECRETS for page in pages if secret in page] == []
    assert "欧*****" in pages[-1]
    assert "X9*****32" in pages[-1]


async def test_messages_are_told_without_their_contact(
    api: RunningApi, viewer: Desk, portraits: dict[str, bytes]
) -> None:
    _, key = await api.services.clients.create("tester", mode="test")
    tester = {"Authorization": f"Bearer {key}"}
    body = new_case(registrant(portraits["person_a_1"]))
    filing = Filing(case=(await api.http.post("/v1/cases", json=body, headers=tester)).json())
    place = f"/v1/cases/{filing.id}/subjects/{filing.subjects[0]}/invites"
    deliver = {"channel": "email", "to": "undeliverable@example.com", "reminders": False, "result": True}
    invited = await api.http.post(place, json={"deliver": deliver}, headers=tester)
    await api.services.message_worker.turn()
    page = await viewer.page(f"/cases/{filing.id}")
    told = words("en")
    assert told["case"]["messages"] in page
    assert told["message_state"]["undeliverable"] in page
    assert told["message_state"]["waiting"] in page
    assert told["event"]["message.undeliverable"] in page
    assert "<code>rejected</code>" in page
    assert "***@" not in page
    assert "@example.com" not in page
    assert invited.json()["code"].split(".")[2] not in page


async def test_nothing_secret_is_on_any_page(api: RunningApi, auditor: Desk, decided: Filing) -> None:
    session = auditor.http.cookies[SESSION_COOKIE]
    pages = [await auditor.page(path) for path in (*PAGES["viewer"], *PAGES["auditor"], f"/cases/{decided.id}")]
    hidden = [session, str(api.services.settings.store_url), str(api.services.settings.data_dir), "hk_operator_"]
    assert [secret for secret in hidden for page in pages if secret in page] == []
    similarities = {f"{value:g}" for value in (CONVINCING.similarity, CONVINCING.least_similarity)}
    assert [value for value in similarities if f">{value}<" in pages[-1]] == []


async def test_outcomes_and_signals_are_counted(api: RunningApi, auditor: Desk, decided: Filing) -> None:
    outcomes = await auditor.page("/outcomes")
    assert "mismatch" in outcomes
    assert search(r"accepted</th><td>—</td><td class=\"n\">[1-9]", outcomes)
    now, signs = await api.services.store.now(), (FraudSign(name="device_pace", does="flag"),)
    await api.services.tally.count("live", Rejected(Reason.LIVENESS, "nose"), signs, now=now)
    signals = await auditor.page("/signals")
    assert search(r"<code>nose</code></small></th>\s*<td><span class=\"mark rejected\"></span>rejected</td>", signals)
    assert search(r"<code>device_pace</code></small></th>\s*<td>flags</td>", signals)


async def test_latency_says_whose_it_is(api: RunningApi, viewer: Desk) -> None:
    for milliseconds in (10, 20, 30):
        api.services.metrics.latencies.note("live_frame", milliseconds / 1000, now=0.0)
    with api.services.metrics.stage("live_frame"):
        pass
    page = await viewer.page("/latency")
    assert "of this process alone" in page
    assert "live_frame" in page


async def test_cases_are_paged_and_found(api: RunningApi, viewer: Desk, portraits: dict[str, bytes]) -> None:
    opened = [(await api.desk.open(registrant(portraits["person_a_1"]))).id for _ in range(26)]
    first = await viewer.page("/cases")
    (older,) = findall(r'rel="next" href="/ops(/cases\?[^"]+)"', first)
    listed = findall(r"/ops/cases/(case_\w+)", first + await viewer.page(older.replace("&amp;", "&")))
    assert listed[:26] == opened[::-1]
    await api.http.post(f"/v1/cases/{opened[3]}/cancel", json={"reason": "withdrawn"})
    assert opened[3] in await viewer.page("/cases?state=cancelled")
    assert opened[3] not in await viewer.page("/cases?state=completed")


async def test_an_audit_search_is_by_case_kind_and_time(auditor: Desk, decided: Filing) -> None:
    shown = await auditor.page(f"/audit?case={decided.id}&event=session.finished")
    assert shown.count('<td class="time">') == 2
    assert "No entry" in await auditor.page(f"/audit?case={decided.id}&before=2026-01-01T00:00&since=2025-01-01")
    assert decided.id in await auditor.page("/audit?event=case.opened")
    assert "operator signed in</th>" in await auditor.page("/audit?case=operators")


BAD_INPUT = {
    "/audit?since=yesterday": (422, "search_invalid"),
    "/audit?before=0001-01-01T00:00%2B08:00": (422, "search_invalid"),
    f"/audit?case={OPERATORS_CHAIN}&cursor={0:015d}:{OPERATORS_CHAIN}:{10**20}": (422, "cursor_invalid"),
    f"/operators?below={10**20}": (422, "request_invalid"),
    "/audit?event=everything": (422, "search_invalid"),
    "/audit?case=欧阳伊丽莎白": (404, "case_unknown"),
    "/audit?mode=both": (422, "request_invalid"),
    "/audit?cursor=x": (422, "cursor_invalid"),
    "/cases?state=lost": (422, "search_invalid"),
    "/cases?cursor=x": (422, "cursor_invalid"),
    "/cases/case_aaaaaaaaaaaaaaaa": (404, "case_unknown"),
    "/cases/<script>": (404, "case_unknown"),
    "/cases/case_aaaaaaaaaaaaaaaa?below=-1": (422, "request_invalid"),
    "/operators?below=x": (422, "request_invalid"),
    "?mode=both": (422, "request_invalid"),
}


async def test_bad_input_is_a_page_that_says_what_is_wrong(auditor: Desk) -> None:
    for path, (status, code) in BAD_INPUT.items():
        page = await auditor.page(path, status)
        assert code in page
        assert ("<script>" in page, "欧阳" in page) == (False, False)


async def test_the_last_audit_of_everything_is_told(api: RunningApi, viewer: Desk) -> None:
    record = {"at": 1.8e9, "findings": 2, "cases": 3, "entries": 4, "checkpoints": 5, "proven_to": None}
    await api.services.store.put_record("audits", "last", json.dumps(record).encode())
    assert "2 things do not fit" in await viewer.page("/checkpoints")
    await api.services.store.put_record("audits", "last", json.dumps(record | {"findings": 0, "proven_to": 5}).encode())
    page = await viewer.page("/checkpoints")
    assert "3 cases, 4 entries, intact" in page
    assert "up to checkpoint 5" in page


async def test_from_a_hundred_thousand_faces_on_there_is_a_warning(api: RunningApi, viewer: Desk) -> None:
    assert "must be told" not in await viewer.page("")
    await api.services.store.ledger.note_faces("case_many", 100_000)
    assert "100,000 reached: the authority must be told." in await viewer.page("")
    await api.services.store.ledger.note_faces("case_many", 0)


async def test_a_store_that_is_down_shows_nothing(embedded_api: RunningApi) -> None:
    async with desk_of(embedded_api, "auditor") as desk:
        await embedded_api.services.store.close()
        assert "store_unavailable" in await desk.page("", 503)


async def test_the_language_is_the_link_s_then_the_cookie_s_then_the_browser_s(viewer: Desk) -> None:
    assert "Overview" in await viewer.page("")
    assert "概览" in await viewer.page("?lang=zh")
    assert "概览" in await viewer.page("")
    assert "Overview" in await viewer.page("?lang=en")


# Words, settings


def keys_of(content: object, path: str = "") -> set[str]:
    if not isinstance(content, dict):
        return {path}
    return {key for name, part in content.items() for key in keys_of(part, f"{path}.{name}")}


def test_both_languages_have_the_same_words() -> None:
    assert keys_of(words("zh")) == keys_of(words("en"))


@pytest.mark.parametrize(
    ("place", "codes"),
    [
        ("event", EVENTS),
        ("reason", (*Reason, *_PUBLIC_RETRY.values(), NOT_VERIFIED, "use_window", "try_again", NONE)),
        ("signal", (*SIGNALS, "trust", *FraudEvidence.__dataclass_fields__)),
        ("does", get_args(Does)),
        ("outcome", ("accepted", "retry", "rejected", "referred")),
        ("case_state", CaseState),
        ("standing", Standing),
        ("session_state", SessionState),
        ("message_state", MessageState),
        ("message_kind", MessageKind),
        ("channel_name", get_args(Channel)),
        ("verification_state", VerificationState),
        ("reference_state", ReferenceState),
        ("reference_warning", quality_lines().components),
        ("provenance", get_args(Provenance)),
        ("role_name", get_args(OperatorRole)),
        ("stage", ("live_frame", "decide", "compare", "reference", "claim", "redeem")),
    ],
)
def test_every_code_has_words(place: str, codes: Any) -> None:
    assert set(words("en")[place]) == {str(getattr(code, "value", code)) for code in codes}


def test_of_settings_that_may_hold_secrets_only_whether_they_are_set_is_shown() -> None:
    shown = settings_shown(Settings(store_url="redis://:hunter2@store/0"))
    assert len(shown) == len(Settings.model_fields)
    assert (shown["HEYAN_STORE_URL"], shown["HEYAN_AUDITOR_KEY"]) == (True, False)
    assert "hunter2" not in str(shown)
    assert set(Settings.model_fields) >= TEXTS_SHOWN
    hidden = {name for name, value in shown.items() if isinstance(value, bool)}
    texts = ("STORE_URL", "RAY_ADDRESS", "AUTHORITY_URL", "SMS_URL", "SMTP_HOST", "SMTP_USER", "SMTP_FROM", "TRACES")
    files = [name for name, field in Settings.model_fields.items() if field.annotation in {Path, Path | None}]
    assert hidden == {f"HEYAN_{name.upper()}" for name in (*texts, *files, "report_url", "trusted_proxies")}


def test_a_setting_that_comes_later_is_hidden_if_it_could_be_a_secret() -> None:
    class Later(Settings):
        token: SecretStr = SecretStr("hunter2")
        collector: str = "https://user:hunter2@collector"
        key: Path | None = Path("/hunter2")
        keys: tuple[str, ...] = ("hunter2",)
        mixed: str | int = "hunter2"
        most: int | None = 7
        way: Literal["short", "long"] | None = "short"

    shown = settings_shown(Later())
    assert "hunter2" not in str(shown)
    assert [shown[f"HEYAN_{name}"] for name in ("TOKEN", "COLLECTOR", "KEY", "KEYS", "MIXED")] == [True] * 5
    assert (shown["HEYAN_MOST"], shown["HEYAN_WAY"]) == ("7", "short")
    assert (shown["HEYAN_LIVE_LOAD"], shown["HEYAN_LIVE_LATENCY_SECONDS"]) == ("0.7", "0.5")


def test_operators_are_made_listed_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", str(begun(tmp_path)))

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["operators", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    made = run("create", "Li 7", "--role", "auditor")
    assert "hk_operator_" in made
    operator = next(word for word in made.split() if word.startswith("opr_"))
    listed = run("list")
    assert ("Li 7" in listed, "auditor" in listed, "hk_operator_" in listed) == (True, True, False)
    run("revoke", operator)
    assert "revoked" in run("list")
    assert "operator_role_unknown" in run("create", "Li 8", "--role", "root", code=2)
