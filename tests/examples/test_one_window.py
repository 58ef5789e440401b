"""The registration service of examples/ against a real heyan in test mode, over HTTP, without cameras."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import randbelow
from typing import Any

import httpx
import pytest
from one_window import WindowProcess, entered, free_port, running_window

from benchmarks.service import Service, running_service
from examples.client import Heyan, HeyanError, Receipt
from examples.one_window.archive import ReceiptError, archive, check
from examples.one_window.desk import Desk, Wanted
from examples.one_window.filings import Filing, Party
from examples.one_window.following import Follower
from examples.one_window.ledger import Ledger
from examples.registration import PHOTO
from models.prepare import default_data_dir
from verify.jose import SigningKey, new_signing_key, read_key_set, sign
from verify.receipts import check_receipt

WEB = Path(__file__).parents[2] / "examples" / "one_window" / "web"


@pytest.fixture(scope="module")
def heyan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("heyan") / "data"
    with running_service(folder, webhook_private_addresses="true") as running:
        yield running


@pytest.fixture
def window(heyan: Service, tmp_path: Path) -> Iterator[WindowProcess]:
    with running_window(heyan, tmp_path / "window", mode="test") as running:
        yield running


def founders(name: str = "Test Accepted") -> list[dict[str, Any]]:
    """Three shareholders, two of whom have another role, and an agent; others in each test."""
    number = randbelow(10**6)
    return [
        entered(name, f"E1{number:06d}", "shareholder", "legal_representative", photo=PHOTO, share="50"),
        entered("Test Accepted", f"E2{number:06d}", "shareholder", "finance_head", photo=PHOTO, share="30"),
        entered("Test Accepted", f"E3{number:06d}", "shareholder", photo=PHOTO, share="20"),
        entered("Test Accepted", f"E4{number:06d}", "agent", photo=PHOTO),
    ]


def filed(window: WindowProcess, **changes: Any) -> Any:
    body = {"company_name": "上海示例科技有限公司", "capital": "1000000", "people": founders(), **changes}
    with window.http as http:
        return http.post("/api/filings", json=body)


def simulate_all(window: WindowProcess, filing: dict[str, Any]) -> None:
    with window.http as http:
        for place in range(len(filing["parties"])):
            answer = http.post(f"/api/filings/{filing['id']}/people/{place}/simulate")
            assert answer.status_code == 200, answer.text


def is_now(state: str) -> Callable[[dict[str, Any]], bool]:
    return lambda filing: bool(filing["state"] == state)


def keys_of(words: object, path: str = "") -> set[str]:
    if not isinstance(words, dict):
        return {path}
    return {key for name, part in words.items() for key in keys_of(part, f"{path}.{name}")}


def test_both_languages_have_the_same_words() -> None:
    zh, en = (json.loads((WEB / f"words.{language}.json").read_text("utf-8")) for language in ("zh", "en"))
    assert keys_of(zh) == keys_of(en)


def test_a_company_is_registered_once_everybody_has_verified_and_then_raises_its_capital(window: WindowProcess) -> None:
    filing = filed(window).json()
    assert [(each["role"], each["state"]) for each in filing["parties"]][:2] == [
        ("shareholder", "pending"),
        ("legal_representative", "pending"),
    ]
    simulate_all(window, filing)
    done = window.awaited(filing["id"], is_now("registered"))
    assert {each["state"] for each in done["parties"]} == {"redeemed"}
    assert len(done["receipts"]) == 6
    check_archived(window, done)
    with window.http as http:
        company = http.get(f"/api/companies/{filing['id']}").json()
        assert (company["capital"], company["legal_representative"]) == ("1000000", "Test Accepted")
        photos = {each["id_number"]: entered("", "", photo=PHOTO)["photo"] for each in company["signers"]}
        body = {"capital": "1000000.00", "photos": photos}
        assert http.post(f"/api/companies/{company['id']}/increases", json=body).json()["code"] == "capital_not_raised"
        body = {"capital": "5000000", "photos": photos}
        raised = http.post(f"/api/companies/{company['id']}/increases", json=body).json()
        assert {each["role"] for each in raised["parties"]} == {"shareholder", "legal_representative"}
        simulate_all(window, raised)
        check_archived(window, window.awaited(raised["id"], is_now("registered")))
        assert http.get(f"/api/companies/{filing['id']}").json()["capital"] == "5000000"
        overview = http.get("/api/overview").json()
        assert (len(overview["filings"]), len(overview["companies"])) == (2, 1)


def check_archived(window: WindowProcess, filing: dict[str, Any]) -> None:
    """What lies in the archive is genuine also by heyan's own verifier, and is about this document."""
    folder = window.data / "archive" / filing["id"]
    keys = read_key_set((folder / "jwks.json").read_bytes())
    for name in filing["receipts"]:
        text = (window.data / "archive" / name).read_text("ascii")
        claims = check_receipt(text, expected_keys=keys, allow_test=True).claims
        assert (claims.case, claims.document_sha256) == (filing["case_id"], filing["document_sha256"])
    assert filing["company_name"] in (folder / "document.txt").read_text("utf-8")


def test_a_filing_is_withdrawn_and_its_links_lead_nowhere(window: WindowProcess) -> None:
    filing = filed(window).json()
    with window.http as http:
        linked = http.post(f"/api/filings/{filing['id']}/people/0/link").json()
        address = linked["parties"][0]["link"]
        image = http.get(f"/api/filings/{filing['id']}/people/0/link.svg")
        assert image.headers["content-type"] == "image/svg+xml"
        seen = httpx.post(f"{window.heyan.url}/v1/invites/inspect", json={"code": address.split("#")[1]}).json()
        assert seen["return_url"].startswith(f"{window.url}/back/")
        assert http.get(f"/api/back/{seen['return_url'].rsplit('/', 1)[1]}").json()["total"] == 6
        gone = http.post(f"/api/filings/{filing['id']}/withdraw").json()
        assert (gone["state"], gone["parties"][0]["link"]) == ("cancelled", None)
        refused = http.post(f"/api/filings/{filing['id']}/people/0/link")
        assert (refused.status_code, refused.json()["code"]) == (409, "case_not_open")
    inspected = httpx.post(f"{window.heyan.url}/v1/invites/inspect", json={"code": address.split("#")[1]})
    assert inspected.json()["code"] in {"case_not_open", "invite_revoked"}


@pytest.mark.parametrize(
    ("name", "note"),
    [("Test Mismatch", "rejected"), ("Test Unclear", "referred"), ("Test Declines", "declined")],
)
def test_what_came_of_an_attempt_is_shown_at_the_window(name: str, note: str, window: WindowProcess) -> None:
    filing = filed(window, people=founders(name)).json()
    with window.http as http:
        http.post(f"/api/filings/{filing['id']}/people/0/simulate").raise_for_status()
    seen = window.awaited(filing["id"], lambda now: now["parties"][0]["note"] == note)
    assert seen["state"] == "open"


def test_a_restart_loses_nothing(window: WindowProcess) -> None:
    filing = filed(window).json()
    window.stop()
    with Heyan(window.heyan.url, window.api_key) as client:
        for subject in client.case(filing["case_id"]).subjects:
            assert client.simulate(filing["case_id"], subject.id) == "accepted"
    window.start()
    assert len(window.awaited(filing["id"], is_now("registered"))["receipts"]) == 6


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"people": [entered("张三", "X", "shareholder", photo=PHOTO)]}, "required_role_missing"),
        ({"people": [*founders()[:2], entered("张三", "?!", "agent", photo=PHOTO)]}, "id_document_invalid"),
        ({"people": [*founders()[:2], entered("张三", "X1", "agent", photo=b"no picture")]}, "image_unsupported"),
        ({"capital": "a lot"}, "entry_invalid"),
    ],
)
def test_what_heyan_refuses_is_said_in_words_and_not_kept(
    changes: dict[str, Any], code: str, window: WindowProcess
) -> None:
    refused = filed(window, **changes)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert code in json.loads((WEB / "words.zh.json").read_text("utf-8"))["problem"]
    with window.http as http:
        assert http.get("/api/overview").json()["filings"] == []


def test_only_heyan_gives_notice_and_only_own_pages_ask(window: WindowProcess) -> None:
    filing = filed(window).json()
    forged = {"id": "evt_1", "type": "case.completed", "data": {"case": filing["case_id"]}}
    signed = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    with window.http as http:
        assert http.post("/hooks/heyan", json=forged).status_code == 401
        assert http.post("/hooks/heyan", json=forged, headers=signed).status_code == 401
        elsewhere = {"Origin": "http://evil.example"}
        assert http.post(f"/api/filings/{filing['id']}/withdraw", headers=elsewhere).status_code == 403
        assert http.get("/api/overview", headers={"Host": "evil.example"}).status_code == 400
        policy = http.get("/").headers["content-security-policy"]
        assert ("default-src 'none'" in policy, "unsafe" in policy) == (True, False)
        assert http.get("/api/filings/nothing").status_code == 404


def test_one_command_starts_both_and_ctrl_c_ends_both(tmp_path: Path) -> None:
    (tmp_path / "heyan").mkdir()
    (tmp_path / "heyan" / "models").symlink_to(default_data_dir().absolute() / "models")
    environment = {**os.environ, "HEYAN_DATA_DIR": str(tmp_path / "heyan")}
    options = ["--heyan-port", "0", "--port", str(free_port()), "--data", str(tmp_path / "window")]
    both = subprocess.Popen(
        [sys.executable, "-m", "examples.one_window", "both", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert both.stdout is not None
    said = list(iter(both.stdout.readline, "  Ctrl-C ends.\n"))
    heyan, window = (next(line.split()[-1] for line in said if start in line) for start in ("heyan listens", "Open"))
    assert httpx.get(f"{heyan}/healthz").status_code == httpx.get(f"{window}/").status_code == 200
    both.send_signal(signal.SIGINT)
    assert both.wait(timeout=30) == 0
    both.stdout.close()
    for url in (heyan, window):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


# Without a service: what happens when heyan does not answer, and receipts that prove nothing.

PARTY = Party(name="张三", id_type="passport", id_number="E1", role="shareholder")
CASE = {
    "id": "case_1",
    "state": "open",
    "action": "company.establish",
    "document_sha256": "0" * 64,
    "roster_version": 1,
    "external_id": "x",
    "subjects": [{"id": "sub_1", "role": "shareholder", "name_masked": "张*", "state": "pending"}],
}


def desk_at(folder: Path, answer: Callable[[httpx.Request], httpx.Response]) -> Desk:
    client = Heyan("http://heyan", "hk_test_x", transport=httpx.MockTransport(answer), sleep=lambda _: None)
    return Desk(
        heyan=client, ledger=Ledger(folder / "l.sqlite"), archive=folder, own_url="http://127.0.0.1:1", test=True
    )


def test_a_filing_waits_with_its_photos_until_heyan_answers_and_is_opened_once(tmp_path: Path) -> None:
    sent = list[httpx.Request]()
    answers = iter([*[httpx.ConnectError("down")] * 5, httpx.Response(201, json=CASE), httpx.Response(200, json=CASE)])

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        given = next(answers)
        if isinstance(given, Exception):
            raise given
        return given

    desk = desk_at(tmp_path, answer)
    wanted = Wanted(
        action="company.establish",
        company=None,
        company_name="示例",
        capital="1",
        parties=(PARTY,),
        photos=(PHOTO,),
    )
    with pytest.raises(httpx.ConnectError):
        desk.file(wanted)
    (waiting,) = desk.ledger.unfinished()
    assert (waiting.state, dict(desk.ledger.photos(waiting.id))) == ("opening", {0: PHOTO})
    Follower(desk)._follow(waiting.id)
    assert len({request.headers["idempotency-key"] for request in sent[:6]}) == 1
    opened = desk.ledger.filing(waiting.id)
    assert (opened.state, opened.case_id, dict(desk.ledger.photos(waiting.id))) == ("open", "case_1", {})


def test_what_heyan_will_not_take_later_is_over_and_says_why(tmp_path: Path) -> None:
    desk = desk_at(tmp_path, lambda _: httpx.Response(422, json={"code": "id_document_invalid"}))
    desk.ledger.file(lambda _: filing_of(state="opening", case_id=None), [PHOTO])
    Follower(desk)._follow("7")
    over = desk.ledger.filing("7")
    assert (over.state, over.problem, dict(desk.ledger.photos("7"))) == ("cancelled", "id_document_invalid", {})
    assert desk.ledger.unfinished() == []
    Follower(desk)._follow("8")  # one that is not there any more stops nothing


def test_trouble_is_shown_at_the_window_until_it_is_over(tmp_path: Path) -> None:
    answers = iter([httpx.Response(401, json={"code": "api_key_invalid"}), httpx.Response(200, json=CASE)])
    desk = desk_at(tmp_path, lambda _: next(answers))
    desk.ledger.file(lambda _: filing_of(), [])
    for problem in ("api_key_invalid", None):
        Follower(desk)._follow("7")
        assert desk.ledger.filing("7").problem == problem


def filing_of(**changes: Any) -> Filing:
    content = {
        "id": "7",
        "way": "w",
        "action": "company.establish",
        "company": None,
        "company_name": "示例",
        "capital": "1",
        "parties": (Party(name="张三", id_type="passport", id_number="E1", role="shareholder", subject_id="sub_1"),),
        "filed_at": "2026-11-25T08:00:00+00:00",
        "state": "open",
        "case_id": "case_1",
        **changes,
    }
    return Filing(**content)


def receipt_of(key: SigningKey, *, kind: str = "heyan-receipt+jwt", **changes: Any) -> Receipt:
    claims = {
        "case": "case_1",
        "action": "company.establish",
        "role": "shareholder",
        "subject": "sub_1",
        "document_sha256": filing_of().document_sha256,
        **changes,
    }
    return Receipt("rcp_1", sign(claims, key=key, kind=kind), claims)


def archived(folder: Path, receipt: Receipt, key: SigningKey, *, purpose: str = "live") -> Any:
    keys = json.dumps({"keys": [key.verifying(purpose).public_jwk()]}).encode()
    return archive(folder, filing_of(), receipts=(receipt,), keys=keys, purpose="live")


def test_a_genuine_receipt_is_archived_and_can_be_checked_again(tmp_path: Path) -> None:
    key = new_signing_key()
    (kept,) = archived(tmp_path, receipt_of(key), key)
    claims = check(tmp_path / kept.file, tmp_path / "7" / "jwks.json", filing=filing_of(), purpose="live")
    assert claims["subject"] == "sub_1"


@pytest.mark.parametrize(
    "changes",
    [{"case": "case_2"}, {"subject": "sub_2"}, {"role": "agent"}, {"document_sha256": "0" * 64}, {"kind": "token"}],
)
def test_a_receipt_of_something_else_is_never_registered_on(changes: dict[str, str], tmp_path: Path) -> None:
    key = new_signing_key()
    with pytest.raises(ReceiptError):
        archived(tmp_path, receipt_of(key, **changes), key)


def test_a_receipt_under_another_key_or_of_test_mode_is_worth_nothing(tmp_path: Path) -> None:
    key, other = new_signing_key(), new_signing_key()
    for signed_by, purpose in ((other, "live"), (key, "test")):
        with pytest.raises(ReceiptError):
            archived(tmp_path, receipt_of(signed_by), key, purpose=purpose)
    changed = Receipt("rcp_1", receipt_of(key).text[:-4] + "AAAA", {})
    with pytest.raises(ReceiptError):
        archived(tmp_path, changed, key)


def test_a_refused_filing_leaves_no_photo_behind(tmp_path: Path) -> None:
    desk = desk_at(tmp_path, lambda _: httpx.Response(422, json={"code": "id_document_invalid"}))
    wanted = Wanted(
        action="company.establish", company=None, company_name="示例", capital="1", parties=(PARTY,), photos=(PHOTO,)
    )
    with pytest.raises(HeyanError):
        desk.file(wanted)
    assert desk.ledger.filings() == []
    desk.ledger.close()
    assert PHOTO not in (tmp_path / "l.sqlite").read_bytes()
