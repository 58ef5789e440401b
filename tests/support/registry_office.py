"""A registration office for tests: every service of `verify` over one store, and short ways through a case."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from random import Random
from time import time

import numpy as np
from PIL import Image

from liveness.challenge import Cue, Repertoire
from liveness.report import CueOutcome, CueReport, LivenessReport, Signal, Status
from models.embedding import Embedding
from models.errors import FaceError
from verify.actions import Action
from verify.amendments import Amendments
from verify.archive import Archives
from verify.casefile import CaseFile
from verify.cases import Cases, NewCase
from verify.checkpoints import Checkpoints
from verify.clients import Client, Clients
from verify.contact_limits import ContactLimits
from verify.contacts import contact
from verify.disputes import Disputes
from verify.enrolment import NewOrganisation, NewSubject
from verify.erasure import Erasures
from verify.evidence import Evidence
from verify.identity_documents import IdentityDocument, resident_check_character
from verify.invites import CaptureGrant, ConsentGiven, Invites, InviteView, IssuedInvite
from verify.jose import SigningKey
from verify.messenger import Messenger, Wanted
from verify.officers import Officers, Window
from verify.patience import Patience
from verify.policy import load_policy
from verify.redemption import Redemptions, Restated
from verify.reference_quality import Reference
from verify.sessions import Claim, Sessions
from verify.signing import Keys, load_keys
from verify.store import Beside, Seen, Store, nothing
from verify.tokens import TokenClaims, Tokens

POLICY = load_policy()
VOTE = Action(
    name="client.vote", zh="表决章程修正案", en="vote on the amendment", roles={"observer": ("观察员", "observer")}
)
"""An action that a client may register: no minimum rule of the operator binds it."""
DOCUMENT = sha256(b"articles of association").hexdigest()
NUMBER = "+8613812345678"
FACELESS = (1, 2, 3)
BLURRED = (4, 5, 6)
"""Colour of the photo in which the pretended embedder finds no face."""


class ClockedStore(Store):
    """A store whose clock can be moved forward: what `load` and `now` tell. Scripts keep the real one."""

    shown: Callable[[float], float] = staticmethod(lambda now: now)

    def advance(self, seconds: float) -> None:
        self.shown = lambda now: now + seconds

    def stop_at(self, moment: float) -> None:
        self.shown = lambda _: moment

    async def load(self, case_id: str) -> tuple[CaseFile, float]:
        file, now = await super().load(case_id)
        return file, self.shown(now)

    async def look(self, case_id: str, *, beside: Beside = nothing) -> Seen:
        seen = await super().look(case_id, beside=beside)
        return replace(seen, now=self.shown(seen.now))

    async def now(self) -> float:
        return self.shown(await super().now())


@cache
def photo(colour: tuple[int, int, int] = (90, 120, 150)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (64, 80), colour).save(buffer, "PNG")
    return buffer.getvalue()


async def pretend_to_embed(content: bytes) -> Reference:
    """A vector that depends on the photo's bytes alone; tests of the embedding itself are those of `models`."""
    if content == photo(FACELESS):
        raise FaceError("face_none", "no face")
    seed = int.from_bytes(sha256(content).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(128).astype(np.float32)
    return Reference(
        template=Embedding(vector, POLICY.contract), warnings=("sharpness",) if content == photo(BLURRED) else ()
    )


CUES = tuple(
    CueReport(cue=cue, outcome=CueOutcome.ANSWERED, asked_at=1.0, opened_at=1.1, answered_at=2.0, peak=20.0)
    for cue in (Cue.TURN_LEFT, Cue.TURN_RIGHT, Cue.LOOK_UP, Cue.TURN_LEFT, Cue.COME_CLOSER)
)
CONVINCING = Evidence(
    contract=POLICY.contract,
    similarity=0.8,
    least_similarity=0.6,
    compared_frames=8,
    liveness=LivenessReport(
        repertoire=Repertoire.ALL,
        cues=CUES,
        complete=True,
        signals=tuple(
            Signal(name=name, raw=0.1, score=1.0, status=Status.PASS)
            for name in ("relief", "nose", "same_face", "unbroken", "passive")
        ),
        light=None,
        trust=0.9,
        frames=80,
    ),
    no_face_share=0.0,
    several_faces_share=0.0,
    eye_distance_px=80.0,
    brightness=0.5,
    sharpness=POLICY.sharpness + 1.0,
    interrupted=False,
)
IMPOSTOR = replace(CONVINCING, similarity=0.1, least_similarity=0.0)
INTERRUPTED = replace(CONVINCING, interrupted=True)


def resident(number: int = 0) -> IdentityDocument:
    digits = f"31011519900101{number:03d}"
    return IdentityDocument(type="cn_resident_id", number=digits + resident_check_character(digits))


def person(number: int = 0, **changes: object) -> NewSubject:
    fields = {
        "name": "张三丰",
        "role": "shareholder",
        "document": resident(number),
        "photo": photo((10 + number % 200, 100, 200)),
        "provenance": "authority",
    }
    return NewSubject(**{**fields, **changes})


ESTABLISHMENT = ("shareholder", "legal_representative", "finance_head")
"""Roles without which no company is established."""
CREDIT_CODE = "91310000775785552L"


def holding(**changes: object) -> NewOrganisation:
    fields = {"name": "示例投资有限公司", "role": "shareholder", "credit_code": CREDIT_CODE}
    return NewOrganisation(**{**fields, **changes})


def filing(people: int = 1, **changes: object) -> NewCase:
    fields = {
        "action": "capital.increase",
        "document_sha256": DOCUMENT,
        "subjects": tuple(person(number) for number in range(people)),
    }
    return NewCase(**{**fields, **changes})


@dataclass(frozen=True, kw_only=True)
class Office:
    """All services, and one client with its key."""

    store: ClockedStore
    keys: Keys
    clients: Clients
    cases: Cases
    amendments: Amendments
    invites: Invites
    messenger: Messenger
    sessions: Sessions
    disputes: Disputes
    tokens: Tokens
    redemptions: Redemptions
    checkpoints: Checkpoints
    erasures: Erasures
    archives: Archives
    officers: Officers
    window: Window
    client: Client
    api_key: str
    damaged: list[str]
    """Ids of cases that work on many has met and could not read."""

    async def damage(self, case_id: str) -> None:
        """Make the record of a case unreadable, as a mistake in the store would."""
        await self.store._connection.ask("HSET", self.store._file(case_id), "case", "{}")
        self.store._remembered.clear()

    def signer(self, mode: str = "live") -> SigningKey:
        """The key that signs now."""
        return self.keys.rings[mode].ring.signer(now=time())

    def read(self, token: str) -> TokenClaims:
        return self.tokens.read(token, expected_client=self.client).claims

    async def case(self, people: int = 1, **changes: object) -> tuple[CaseFile, tuple[str, ...]]:
        """A case and the ids of its subjects."""
        file = (await self.cases.open(self.client, filing(people, **changes))).file
        return file, tuple(file.subjects)

    async def file(self, case_id: str) -> CaseFile:
        return (await self.store.load(case_id))[0]

    async def invite(self, file: CaseFile, subject_id: str) -> str:
        return (await self.invites.issue(self.client, file.case.id, subject_id)).code

    async def send_invite(self, file: CaseFile, subject_id: str, **changes: object) -> IssuedInvite:
        """An invite whose link the service sends, to a mobile number unless said otherwise."""
        wanted = replace(Wanted(contact=contact("sms", NUMBER)), **changes)
        return await self.messenger.invite(self.client, file.case.id, subject_id, wanted)

    async def agree(self, code: str) -> InviteView:
        return await self.invites.consent(code, agreement(await self.invites.inspect(code)))

    async def grant(self, file: CaseFile, subject_id: str) -> CaptureGrant:
        code = await self.invite(file, subject_id)
        await self.agree(code)
        return await self.invites.exchange(code)

    async def claim(self, file: CaseFile, subject_id: str) -> Claim:
        grant = await self.grant(file, subject_id)
        opened = await self.sessions.open(grant.secret)
        return await self.sessions.claim(opened.session_id, opened.secret)

    async def verify(self, file: CaseFile, *subject_ids: str) -> None:
        for subject_id in subject_ids:
            await self.sessions.finish(await self.claim(file, subject_id), CONVINCING)

    async def verify_by(self, code: str) -> None:
        """The way of the person who opened this link."""
        await self.agree(code)
        opened = await self.sessions.open((await self.invites.exchange(code)).secret)
        await self.sessions.finish(await self.sessions.claim(opened.session_id, opened.secret), CONVINCING)

    async def mint(self, file: CaseFile, subject_id: str) -> str:
        return (await self.tokens.mint(self.client, file.case.id, subject_id)).token

    async def verified_token(self, file: CaseFile, subject_id: str) -> str:
        await self.verify(file, subject_id)
        return await self.mint(file, subject_id)


def agreement(view: InviteView, **changes: object) -> ConsentGiven:
    given = ConsentGiven(
        agreed=True,
        consent_version=view.consent.version,
        consent_sha256=view.consent_sha256["zh"],
        intent_sha256=view.intent_sha256,
        language="zh",
    )
    return replace(given, **changes)


def restate(file: CaseFile, subject_id: str, **changes: object) -> Restated:
    restated = Restated(
        case=file.case.id,
        subject=subject_id,
        action=file.case.action,
        role=file.subjects[subject_id].role,
        roster_version=file.case.roster_version,
        document_sha256=file.case.document_sha256,
    )
    return replace(restated, **changes)


async def open_office(store: ClockedStore, folder: Path, *, allow_client_upload: bool = False) -> Office:
    entropy = secrets.token_bytes
    keys = load_keys(folder, entropy=entropy)
    clients = Clients(store, entropy)
    client, api_key = await clients.create("window 1", mode="live")
    cases = Cases(store=store, vault=keys.vault, entropy=entropy, allow_client_upload=allow_client_upload)
    checkpoints = Checkpoints(store=store, ring=keys.rings["checkpoint"], issuer="heyan")
    tokens = Tokens(store=store, rings=keys.rings, issuer="heyan", entropy=entropy)
    invites = Invites(
        store=store, vault=keys.vault, entropy=entropy, embed_reference=pretend_to_embed, contract=POLICY.contract
    )
    damaged = list[str]()
    return Office(
        store=store,
        keys=keys,
        clients=clients,
        cases=cases,
        amendments=Amendments(cases),
        invites=invites,
        messenger=Messenger(
            store=store,
            vault=keys.vault,
            entropy=entropy,
            invites=invites,
            limits=ContactLimits(store=store, vault=keys.vault, per_hour=5, per_day=10),
            channels=frozenset({"sms", "email"}),
            reminder_hours=(2.0,),
        ),
        sessions=Sessions(
            store=store,
            vault=keys.vault,
            entropy=entropy,
            rng=Random(7),
            policy=POLICY,
            auditor=keys.auditor,
            patience=Patience(store),
        ),
        disputes=Disputes(store=store, entropy=entropy),
        tokens=tokens,
        redemptions=Redemptions(
            store=store,
            tokens=tokens,
            rings=keys.rings,
            checkpoints=checkpoints,
            vault=keys.vault,
            entropy=entropy,
        ),
        checkpoints=checkpoints,
        officers=Officers(store, entropy),
        window=Window(store=store, vault=keys.vault, entropy=entropy),
        archives=Archives(store=store, checkpoints=checkpoints, tokens=tokens),
        erasures=Erasures(store=store, vault=keys.vault, retention_days=30, damaged=damaged.append),
        damaged=damaged,
        client=client,
        api_key=api_key,
    )
