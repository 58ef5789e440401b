"""A typed client of heyan's HTTP API, synchronous, in one file that needs httpx alone: copy it into your service.

Every POST carries an `Idempotency-Key`, so that a request whose answer was lost, and one that was refused for lack of
room (429, 503), is repeated without taking effect twice. Refusals are raised as `HeyanError` with their stable code.
"""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self
from uuid import uuid4

import httpx

ANSWER_SECONDS = 30.0
ATTEMPTS = 5
LONGEST_WAIT = 30.0
"""Seconds that a wait between two attempts may last, whatever the service asks for."""

AGAIN = frozenset({"idempotency_in_progress"})
"""Refusals that are worth repeating, beside 429 and 503."""

Json = dict[str, Any]


class HeyanError(Exception):
    """A refusal: a problem document (RFC 9457). `code` is stable, `detail` says how to mend it."""

    def __init__(self, problem: Mapping[str, Any], *, status: int) -> None:
        self.code = str(problem.get("code", "unknown"))
        self.status = status
        self.detail = str(problem.get("detail", ""))
        self.members = dict(problem)
        super().__init__(f"{self.code} ({status}): {self.detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubject:
    """One person of a filing. `photo`: the ID photo's bytes (JPEG, PNG, WebP); None if an authority holds it."""

    name: str
    role: str
    id_type: str
    id_number: str
    photo: bytes | None = field(repr=False)
    provenance: Literal["authority", "card_capture", "client_upload"] = "authority"
    share_percent: str | None = None


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """A person's newest attempt. `outcome`: `accepted`, `retry`, `rejected`, `referred`, `timed_out`; None: it runs."""

    outcome: str | None
    reason: str | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class LastInvite:
    """A person's newest link. `state`: `issued`, `consented`, `exchanged`, `declined`, `revoked`, `expired`."""

    state: str
    expires_at: datetime
    attempts_left: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One person of an open case.

    `state`: `pending`, `verified`, `redeemed`, `declined`, `reference_unusable`, `erased`.
    """

    id: str
    role: str
    name_masked: str
    state: str
    last_attempt: LastAttempt | None = None
    invite: LastInvite | None = None
    verified_at: datetime | None = None
    valid_until: datetime | None = None
    receipt: str | None = None
    """Id of the receipt, once redeemed."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stood when it was asked for. `etag` is there if it was read by `Heyan.case`."""

    id: str
    state: str
    action: str
    document_sha256: str
    roster_version: int
    external_id: str | None
    subjects: tuple[Subject, ...]
    etag: str | None = None

    def subject(self, subject_id: str) -> Subject:
        """Raises KeyError if the case has no such subject."""
        for each in self.subjects:
            if each.id == subject_id:
                return each
        raise KeyError(subject_id)


@dataclass(frozen=True, slots=True)
class Invite:
    """A link for one person; it is shown this once."""

    url: str = field(repr=False)
    code: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where notices go; the secret is shown this once."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a redemption leaves: keep `text` (a compact JWS) with the filing."""

    id: str
    text: str
    claims: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a case, as in docs/webhooks.md."""

    id: str
    type: str
    data: Mapping[str, str]


class Heyan:
    """One registration service with its API key. Close it, or use it as a context manager."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        self._http = httpx.Client(base_url=url, headers=headers, transport=transport, timeout=ANSWER_SECONDS)
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Cases

    def open_case(
        self,
        *,
        action: str,
        document_sha256: str,
        subjects: Sequence[NewSubject],
        external_id: str | None = None,
        details: Mapping[str, Any] | None = None,
        rule: Mapping[str, Any] | None = None,
        deadline: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Case:
        """Open a case. Give an `idempotency_key` of your own to be safe across restarts of your service too."""
        body: Json = {
            "action": action,
            "document_sha256": document_sha256,
            "external_id": external_id,
            "subjects": [_subject_body(each) for each in subjects],
        }
        if details is not None:
            body["details"] = dict(details)
        if rule is not None:
            body["rule"] = dict(rule)
        if deadline is not None:
            body["deadline"] = deadline.isoformat()
        return _case(self._post("/v1/cases", body, idempotency_key=idempotency_key))

    def case(self, case_id: str) -> Case:
        """A case as it stands now, with its `etag`."""
        answer = self._send("GET", f"/v1/cases/{case_id}")
        return _case(answer.json(), etag=answer.headers.get("etag"))

    def cases(self, *, state: str | None = None, page: int = 100) -> Iterator[Case]:
        """All cases of this client, newest first; pages are fetched as they are needed."""
        asked: dict[str, str | int] = {"limit": page, **({"state": state} if state else {})}
        while True:
            answer = self._send("GET", "/v1/cases", params=asked).json()
            yield from map(_case, answer["cases"])
            if answer["next_cursor"] is None:
                return
            asked["cursor"] = answer["next_cursor"]

    def cancel(self, case: Case, *, reason: str) -> Case:
        """Cancel a case; one that was read by `case` only if nobody has changed it since (`precondition_failed`)."""
        return _case(self._post(f"/v1/cases/{case.id}/cancel", {"reason": reason}, if_match=case.etag))

    def events(self, case_id: str, *, after: str | None = None) -> Iterator[Event]:
        """What happens to a case, from its beginning or after one event, until it has ended; broken streams resume."""
        last, ended = after, False
        while not ended:
            with suppress(httpx.TransportError):
                for event in self._stream(case_id, last):
                    last, ended = event.id, event.data["case_state"] != "open"
                    yield event
            if not ended:  # the connection broke, the replica stops, or nothing came after the end
                self._sleep(1.0)
                ended = self._is_last(case_id, last)

    def _is_last(self, case_id: str, last: str | None) -> bool:
        """Whether a case has ended and nothing follows an event."""
        return self.case(case_id).state != "open" and next(self._stream(case_id, last), None) is None

    def _stream(self, case_id: str, last: str | None) -> Iterator[Event]:
        """One connection's worth of events."""
        headers = {"Last-Event-ID": last} if last else {}
        with self._http.stream("GET", f"/v1/cases/{case_id}/events", headers=headers, timeout=60.0) as answer:
            if not answer.is_success:
                answer.read()
                raise _error(answer)
            yield from _events(answer.iter_lines())

    # People

    def invite(
        self, case_id: str, subject_id: str, *, return_url: str | None = None, deliver: Json | None = None
    ) -> Invite:
        """A link for one person; an earlier one is revoked. `return_url`: where the page offers to go at the end.

        `deliver`: have the service send the link (docs/delivery.md).
        """
        wishes = {"return_url": return_url, "deliver": deliver}
        answer = self._post(f"/v1/cases/{case_id}/subjects/{subject_id}/invites", wishes)
        return Invite(answer["url"], answer["code"], _time(answer["expires_at"]))

    def simulate(self, case_id: str, subject_id: str) -> str:
        """Test mode: let a person such as `Test Accepted` act. Returns the outcome."""
        return str(self._post(f"/v1/test/cases/{case_id}/subjects/{subject_id}/simulate")["outcome"])

    # Tokens

    def mint(self, case_id: str, subject_id: str) -> str:
        """A token for a verified person, for ten minutes. Of one whom this client has redeemed: `receipt_id`."""
        return str(self._post(f"/v1/cases/{case_id}/subjects/{subject_id}/tokens")["token"])

    def redeem(self, case: Case, subject_id: str, token: str) -> Receipt:
        """Redeem a token for exactly this case. If it was redeemed by this client before, its receipt is fetched."""
        body = {
            "token": token,
            "case_id": case.id,
            "subject_id": subject_id,
            "action": case.action,
            "role": case.subject(subject_id).role,
            "roster_version": case.roster_version,
            "document_sha256": case.document_sha256,
        }
        try:
            return _receipt(self._post("/v1/tokens/redeem", body))
        except HeyanError as refusal:
            if refusal.code != "token_already_redeemed" or "receipt_id" not in refusal.members:
                raise
            return self.receipt(refusal.members["receipt_id"])

    def redeem_together(self, case: Case, tokens: Mapping[str, str]) -> tuple[Receipt, ...]:
        """Redeem the tokens of several people (by subject id), all or none; receipts come in the same order.

        If this client redeemed these very tokens before, their receipts are fetched.
        """
        presented = [
            {"token": token, "subject_id": subject_id, "role": case.subject(subject_id).role}
            for subject_id, token in tokens.items()
        ]
        body = {
            "action": case.action,
            "roster_version": case.roster_version,
            "document_sha256": case.document_sha256,
            "tokens": presented,
        }
        try:
            return tuple(map(_receipt, self._post(f"/v1/cases/{case.id}/redeem", body)["receipts"]))
        except HeyanError as refusal:
            if refusal.code != "token_already_redeemed" or "receipt_ids" not in refusal.members:
                raise
            return tuple(map(self.receipt, refusal.members["receipt_ids"]))

    def receipt(self, receipt_id: str) -> Receipt:
        """The receipt of a redemption of this client."""
        return _receipt(self._send("GET", f"/v1/receipts/{receipt_id}").json())

    def keys(self, *, test: bool = False) -> bytes:
        """The public keys (a JWKS) that receipts are checked with: keep them with the receipts."""
        return self._send("GET", "/.well-known/test/jwks.json" if test else "/.well-known/jwks.json").content

    # Notices

    def register_webhook(self, url: str) -> Webhook:
        """Have all notices sent to an address; keep the secret, which checks their signatures."""
        answer = self._post("/v1/webhooks", {"url": url})
        return Webhook(answer["id"], answer["secret"])

    def forget_webhook(self, webhook_id: str) -> None:
        """Send nothing there any more."""
        self._send("DELETE", f"/v1/webhooks/{webhook_id}")

    # Requests

    def _post(
        self,
        path: str,
        body: Json | None = None,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> Json:
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        if if_match is not None:
            headers["If-Match"] = if_match
        content: Json = self._send("POST", path, json=body, headers=headers).json()
        return content

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Repeat what was not answered, or may be answered otherwise a little later; raise what was refused."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._http.request(method, path, **request)
            except httpx.TransportError:
                if attempt == ATTEMPTS:
                    raise
                self._sleep(_wait(attempt, None))
                continue
            if answer.is_success:
                return answer
            refusal = _error(answer)
            if attempt == ATTEMPTS or not (answer.status_code in {429, 503} or refusal.code in AGAIN):
                raise refusal
            self._sleep(_wait(attempt, answer.headers.get("retry-after")))
        raise AssertionError("unreachable")


def _wait(attempt: int, asked: str | None) -> float:
    """Twice as long each time, or as long as the service asks."""
    own = 0.5 * 2.0 ** (attempt - 1)
    return min(max(own, float(asked) if asked and asked.isdigit() else 0.0), LONGEST_WAIT)


def _error(answer: httpx.Response) -> HeyanError:
    try:
        problem = answer.json()
    except json.JSONDecodeError:
        problem = {"detail": "the answer is no problem document: does something stand between you and the service?"}
    return HeyanError(problem if isinstance(problem, dict) else {}, status=answer.status_code)


def _events(lines: Iterator[str]) -> Iterator[Event]:
    """Server-sent events whose data are one line of JSON; comments are passed over."""
    for line in lines:
        if line.startswith("data: "):
            content = json.loads(line.removeprefix("data: "))
            yield Event(content["id"], content["type"], content["data"])


def _reference(subject: NewSubject) -> dict[str, str]:
    if subject.photo is None:
        return {"source": "authority"}
    return {"photo": b64encode(subject.photo).decode(), "provenance": subject.provenance}


def _subject_body(subject: NewSubject) -> Json:
    return {
        **({"share_percent": subject.share_percent} if subject.share_percent else {}),
        "name": subject.name,
        "role": subject.role,
        "id_document": {"type": subject.id_type, "number": subject.id_number},
        "reference": _reference(subject),
    }


def _case(content: Json, *, etag: str | None = None) -> Case:
    return Case(
        id=content["id"],
        state=content["state"],
        action=content["action"],
        document_sha256=content["document_sha256"],
        roster_version=content["roster_version"],
        external_id=content["external_id"],
        subjects=tuple(map(_subject, content["subjects"])),
        etag=etag,
    )


def _subject(content: Json) -> Subject:
    """A service of an earlier version tells less."""
    attempt, invite = content.get("last_attempt"), content.get("invite")
    verified_at, valid_until = content.get("verified_at"), content.get("valid_until")
    return Subject(
        id=content["id"],
        role=content["role"],
        name_masked=content["name_masked"],
        state=content["state"],
        last_attempt=attempt and LastAttempt(attempt["outcome"], attempt["reason"], _time(attempt["opened_at"])),
        invite=invite and LastInvite(invite["state"], _time(invite["expires_at"]), invite["attempts_left"]),
        verified_at=verified_at and _time(verified_at),
        valid_until=valid_until and _time(valid_until),
        receipt=content.get("receipt"),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _receipt(content: Json) -> Receipt:
    return Receipt(content["id"], content["receipt"], content["claims"])
