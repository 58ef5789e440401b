"""The registration flow's side of the HTTP API: what a client that consumes tokens does."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import httpx

from benchmarks.phone.online import Message

DOCUMENT = sha256(b"Resolution of the shareholders: the registered capital is increased.").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrant:
    """One person as the registration flow knows them."""

    name: str
    role: str
    id_number: str
    photo: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """An open case, and its subjects' ids in the order of the roster."""

    case: Message

    @property
    def id(self) -> str:
        """The case's id."""
        return str(self.case["id"])

    @property
    def subjects(self) -> tuple[str, ...]:
        """Ids of the subjects."""
        return tuple(str(subject["id"]) for subject in self.case["subjects"])


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration service with its API key in the headers of `http`."""

    http: httpx.AsyncClient

    async def open(self, *people: Registrant, action: str = "capital.increase") -> Filing:
        """Open a case for these people."""
        return Filing(case=await self._post("/v1/cases", new_case(*people, action=action)))

    async def invite(self, filing: Filing, subject: str) -> str:
        """The code of a new invite."""
        return str((await self._post(f"/v1/cases/{filing.id}/subjects/{subject}/invites"))["code"])

    async def mint(self, filing: Filing, subject: str) -> str:
        """A token for a verified subject."""
        return str((await self._post(f"/v1/cases/{filing.id}/subjects/{subject}/tokens"))["token"])

    async def redeem(self, filing: Filing, subject: str, token: str, **changed: Any) -> httpx.Response:
        """Redeem a token; `changed` restates something else than the case says."""
        restated = {**self.restated(filing, subject), **changed}
        return await self.http.post("/v1/tokens/redeem", json={"token": token, **restated})

    def restated(self, filing: Filing, subject: str) -> Message:
        """What a redemption of a subject's token restates of the case."""
        roles = {each["id"]: each["role"] for each in filing.case["subjects"]}
        return {
            "case_id": filing.id,
            "subject_id": subject,
            "action": filing.case["action"],
            "role": roles[subject],
            "roster_version": filing.case["roster_version"],
            "document_sha256": filing.case["document_sha256"],
        }

    async def state(self, filing: Filing) -> Message:
        """The case as it stands now."""
        answer = await self.http.get(f"/v1/cases/{filing.id}")
        answer.raise_for_status()
        content: Message = answer.json()
        return content

    async def _post(self, path: str, body: Message | None = None) -> Message:
        answer = await self.http.post(path, json=body)
        answer.raise_for_status()
        content: Message = answer.json()
        return content


def new_case(*people: Registrant, action: str = "capital.increase") -> Message:
    """The body that opens a case for these people."""
    return {"action": action, "document_sha256": DOCUMENT, "subjects": [_subject(person) for person in people]}


def _subject(person: Registrant) -> Message:
    return {
        "name": person.name,
        "role": person.role,
        "id_document": {"type": "passport", "number": person.id_number},
        "reference": {"photo": b64encode(person.photo).decode(), "provenance": "authority"},
    }
