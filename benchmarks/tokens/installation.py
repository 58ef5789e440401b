"""An installation in one process and without HTTP: verified people of test mode, and what redeems their tokens."""

import secrets
from dataclasses import dataclass
from random import SystemRandom

from benchmarks.registration import DOCUMENT
from models.errors import ModelError
from verify.cases import Cases, NewCase
from verify.checkpoints import Checkpoints
from verify.clients import Client, Clients
from verify.enrolment import NewSubject
from verify.identity_documents import IdentityDocument
from verify.invites import Invites
from verify.patience import Patience
from verify.policy import load_policy
from verify.redemption import Redemptions, Restated
from verify.reference_quality import Reference
from verify.sessions import Sessions
from verify.signing import Keys
from verify.simulation import Simulations
from verify.store import Store
from verify.tokens import Tokens

ACTION, ROLE, ISSUER = "capital.increase", "shareholder", "heyan"


@dataclass(frozen=True, slots=True)
class Verified:
    """A person who is verified in a case of their own, and what a redemption restates of it."""

    restated: Restated

    @property
    def path(self) -> str:
        """Where a token is minted over HTTP."""
        return f"/v1/cases/{self.restated.case}/subjects/{self.restated.subject}/tokens"

    def body(self, token: str) -> dict[str, object]:
        """What redeems the token over HTTP."""
        return {
            "token": token,
            "case_id": self.restated.case,
            "subject_id": self.restated.subject,
            "action": self.restated.action,
            "role": self.restated.role,
            "roster_version": self.restated.roster_version,
            "document_sha256": self.restated.document_sha256,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Services over one store, and a client of test mode with its key."""

    store: Store
    client: Client
    api_key: str
    cases: Cases
    simulations: Simulations
    checkpoints: Checkpoints
    tokens: Tokens
    redemptions: Redemptions

    async def verified(self, number: int) -> Verified:
        """A person with this number who has gone the whole way, but for the camera."""
        document = IdentityDocument(type="passport", number=f"E{number:08d}")
        person = NewSubject(
            name="Test Accepted", role=ROLE, document=document, photo=None, provenance=None, from_authority=True
        )
        opened = await self.cases.open(
            self.client, NewCase(action=ACTION, document_sha256=DOCUMENT, subjects=(person,))
        )
        case_id, (subject_id,) = opened.file.case.id, tuple(opened.file.subjects)
        await self.simulations.run(self.client, case_id, subject_id)
        restated = Restated(
            case=case_id,
            subject=subject_id,
            action=ACTION,
            role=ROLE,
            roster_version=opened.file.case.roster_version,
            document_sha256=DOCUMENT,
        )
        return Verified(restated)

    async def mint(self, person: Verified) -> str:
        """A token for the person."""
        return (await self.tokens.mint(self.client, person.restated.case, person.restated.subject)).token


async def install(store: Store, keys: Keys) -> Installation:
    """The services over a store, with a client of their own."""
    entropy, vault = secrets.token_bytes, keys.vault
    client, api_key = await Clients(store, entropy).create("tokens", mode="test")
    invites = Invites(
        store=store, vault=vault, entropy=entropy, embed_reference=_no_networks, contract=load_policy().contract
    )
    sessions = Sessions(
        store=store,
        vault=vault,
        entropy=entropy,
        rng=SystemRandom(),
        policy=load_policy(),
        auditor=keys.auditor,
        patience=Patience(store),
    )
    tokens = Tokens(store=store, rings=keys.rings, issuer=ISSUER, entropy=entropy)
    checkpoints = Checkpoints(store=store, ring=keys.rings["checkpoint"], issuer=ISSUER)
    return Installation(
        store=store,
        client=client,
        api_key=api_key,
        cases=Cases(store=store, vault=vault, entropy=entropy),
        simulations=Simulations(store=store, vault=vault, invites=invites, sessions=sessions),
        checkpoints=checkpoints,
        tokens=tokens,
        redemptions=Redemptions(
            store=store, tokens=tokens, rings=keys.rings, checkpoints=checkpoints, vault=vault, entropy=entropy
        ),
    )


async def _no_networks(_: bytes) -> Reference:
    raise ModelError("model_missing", "this installation is for simulated people: it has no networks")
