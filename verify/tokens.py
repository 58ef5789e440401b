"""One-time verification tokens: minted from a live verification, worth one redemption, for ten minutes at most."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from verify.audit import Event
from verify.casefile import CaseFile, Mode, Subject, Verification, VerificationState
from verify.cases import check_open, check_owner, find_subject, known_case
from verify.clients import Client
from verify.deputies import appointments_of, check_appointed, held_among
from verify.errors import Conflict, Gone, Invalid, Refused
from verify.identifiers import Entropy, new_part
from verify.jose import SignatureInvalidError, VerifyingKey, key_set, sign, verify
from verify.signing import Purpose, Ring, RingFile
from verify.standing import is_valid, verifications_of
from verify.store import Change, Seen, Store

TOKEN_SECONDS = 600
TOKEN_KIND = "heyan-token+jwt"  # noqa: S105  (a type, no secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClaims:
    """What a token says (RFC 7519 names where there are some). Every field is required."""

    iss: str
    aud: str
    """Id of the client that may redeem it."""
    jti: str
    iat: int
    exp: int
    case: str
    subject: str
    verification: str
    action: str
    role: str
    on_behalf_of: str
    """`self`, `organisation:<credit code>` or `deputy:<appointment>`."""
    roster_version: int
    document_sha256: str
    intent_sha256: str
    provenance: str
    method: str
    capture: str
    policy: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedToken:
    """A fresh token."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ReadToken:
    """What a token says, and the key that signed it, which may have ceased to count."""

    claims: TokenClaims
    key: VerifyingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Mints and reads tokens. `issuer` and the keys differ between live and test."""

    store: Store
    rings: Mapping[Purpose, RingFile]
    issuer: str
    entropy: Entropy

    async def mint(self, client: Client, case_id: str, subject_id: str) -> MintedToken:
        """A token for a subject's verification; an earlier one that was not redeemed is cancelled.

        Raises:
            NotFound: `case_unknown`, `subject_unknown`. Conflict: `case_not_open`, `not_verified`,
            `token_already_redeemed`. Gone: `verification_expired`. Refused: `deputy_not_appointed`.
        """
        token_id = f"tok_{new_part(self.entropy)}"

        def decision(seen: Seen) -> Change[MintedToken]:
            file, now = seen.file, seen.now
            check_owner(file, client)
            check_open(file.case, now)
            subject = find_subject(file, subject_id)
            check_appointed(subject, held_among(seen), now=now)
            verification = mintable(file, client, subject.id, now=now, epoch=seen.epoch)
            expires_at = float(int(min(now + TOKEN_SECONDS, verification.valid_until)))
            minted = replace(verification, token_id=token_id, token_expires_at=expires_at)
            details = {"subject": subject_id, "verification": verification.id, "token": token_id}
            event = Event(name="token.minted", actor=f"client:{client.id}", details=details)
            claims = self._claims(file, minted, issued_at=int(now))
            key = self.rings[client.mode].ring.signer(now=now)
            text = sign(msgspec.to_builtins(claims), key=key, kind=TOKEN_KIND)
            value = MintedToken(token=text, expires_at=datetime.fromtimestamp(claims.exp, UTC))
            return Change(after=file.with_(minted), event=event, value=value)

        return await self.store.decide(known_case(case_id), decision, beside=appointments_of)

    def read(self, text: str, *, expected_client: Client) -> ReadToken:
        """A token that this service signed for this client, with a key of any time: `check_key` must follow.

        Its own times and state are not looked at.

        Raises:
            Invalid: `token_invalid` for another form, algorithm, key, issuer or a missing claim.
            Refused: `token_wrong_audience`.
        """
        keys = self.rings[expected_client.mode].ring.published()
        try:
            content, key = verify(text, expected_keys=keys, expected_kind=TOKEN_KIND)
            claims = msgspec.convert(content, TokenClaims, strict=True)
        except (SignatureInvalidError, msgspec.ValidationError):
            raise _invalid() from None
        if claims.iss != self.issuer_of(expected_client.mode):
            raise _invalid()
        if claims.aud != expected_client.id:
            raise Refused("token_wrong_audience", "this token was issued for another client")
        return ReadToken(claims, key)

    def jwks(self) -> dict[str, Any]:
        """Public keys of live mode and of checkpoints (RFC 7517). Test mode's are apart: `test_jwks`."""
        return key_set((*self.rings["live"].ring.published(), *self.rings["checkpoint"].ring.published()))

    def test_jwks(self) -> dict[str, Any]:
        """Public keys of test mode, and of checkpoints, which cover both modes."""
        return key_set((*self.rings["test"].ring.published(), *self.rings["checkpoint"].ring.published()))

    def issuer_of(self, mode: Mode) -> str:
        """The `iss` of a mode."""
        return self.issuer if mode == "live" else f"{self.issuer}/test"

    def _claims(self, file: CaseFile, verification: Verification, *, issued_at: int) -> TokenClaims:
        return TokenClaims(
            iss=self.issuer_of(file.case.mode),
            aud=file.case.client,
            jti=str(verification.token_id),
            iat=issued_at,
            exp=int(verification.token_expires_at or 0),
            case=file.case.id,
            subject=verification.subject_id,
            verification=verification.id,
            action=verification.action,
            role=verification.role,
            on_behalf_of=_on_behalf_of(file.subjects[verification.subject_id]),
            roster_version=file.case.roster_version,
            document_sha256=verification.document_sha256,
            intent_sha256=verification.intent_sha256,
            provenance=verification.provenance,
            method=verification.method,
            capture=verification.capture,
            policy=verification.policy,
            epoch=verification.epoch,
        )


def check_key(token: ReadToken, ring: Ring, *, now: float) -> None:
    """Whether a token's key counts at a time (Unix seconds, the store's). Raises Invalid `token_invalid`."""
    if not ring.counts(token.key, now=now):
        raise _invalid()


def mintable(file: CaseFile, client: Client, subject_id: str, *, now: float, epoch: int) -> Verification:
    """The subject's verification that a client can mint a token from.

    Raises:
        Conflict: `not_verified`, `token_already_redeemed` (with the receipt of the client's own redemption).
        Gone: `verification_expired`.
    """
    own = verifications_of(file, subject_id)
    redeemed = {each.id for each in own if each.state is VerificationState.REDEEMED}
    if redeemed:
        message = "this subject's verification was redeemed already"
        receipts = (each for each in file.receipts.values() if each.verification_id in redeemed)
        receipt_id = next((each.id for each in receipts if each.client == client.id), None)
        raise Conflict("token_already_redeemed", message, receipt_id=receipt_id)
    active = [each for each in own if each.state is VerificationState.ACTIVE]
    if not active:
        raise Conflict("not_verified", "this subject has not verified for the case yet")
    newest = max(active, key=lambda each: each.verified_at)
    check_valid(newest, now=now, epoch=epoch)
    return newest


def check_valid(verification: Verification, *, now: float, epoch: int) -> None:
    """Raises Gone `verification_expired` after its time or a restore, `verification_revoked`."""
    if verification.state is VerificationState.REVOKED:
        raise Gone("verification_revoked", "the verification was revoked by a change of the case: verify again")
    if not is_valid(verification, now=now, epoch=epoch):
        raise Gone("verification_expired", "the verification is no longer valid: the person must verify again")


def _on_behalf_of(subject: Subject) -> str:
    return "self" if subject.on_behalf_of is None else f"{subject.on_behalf_of.kind}:{subject.on_behalf_of.id}"


def _invalid() -> Invalid:
    return Invalid("token_invalid", "this is no token of this service: mint one and send it unchanged")
