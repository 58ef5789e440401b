"""Redemption: a token is worth exactly one, for exactly the fields that the redeemer restates.

One transition writes the redemption and the receipt's claims, by the store's clock, and is answered when it is on disk.
A repeated redemption is refused with 409; the client that redeemed, with identical fields, is told the receipt's id, so
that a lost answer loses nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from operator import attrgetter
from typing import TypeVar

from verify.audit import Event
from verify.casefile import CaseFile, Receipt, VerificationState
from verify.cases import check_open, completed, known_case, redeemed_subjects
from verify.checkpoints import NONE_YET, CheckpointClaims, Checkpoints
from verify.clients import Client
from verify.deputies import appointments_of, check_appointed, held_among
from verify.errors import Conflict, Gone, NotFound, Refused, Unavailable, VerifyError
from verify.identifiers import Entropy, new_part, new_secret, part_of
from verify.jose import ALGORITHM, Algorithm, SigningKey, sign
from verify.messenger import results
from verify.receipts import RECEIPT_KIND
from verify.rules import unmet
from verify.signing import Purpose, RingFile
from verify.store import Change, Decision, LateError, Seen, Store
from verify.tokens import ReadToken, TokenClaims, Tokens, check_key, check_valid
from verify.vault import Vault

T = TypeVar("T")

KEPT_CLAIMS = tuple(field.name for field in fields(TokenClaims) if field.name not in {"iat", "exp"})
"""What a receipt says of its token: all but its times."""
_kept = attrgetter(*KEPT_CLAIMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restated:
    """What the redeemer believes the token is for."""

    case: str
    subject: str
    action: str
    role: str
    roster_version: int
    document_sha256: str


RESTATED = tuple(field.name for field in fields(Restated))
_restated = attrgetter(*RESTATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReceipt:
    """A receipt: its signed text and the claims in it."""

    id: str
    receipt: str
    claims: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Presented:
    """One token with what was restated for it."""

    token: ReadToken
    restated: Restated

    @property
    def claims(self) -> TokenClaims:
        """What the token says."""
        return self.token.claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemptions:
    """Redeems tokens and gives receipts out. `algorithm`: the name under which receipts are signed."""

    store: Store
    tokens: Tokens
    rings: Mapping[Purpose, RingFile]
    checkpoints: Checkpoints
    vault: Vault
    entropy: Entropy
    algorithm: Algorithm = ALGORITHM

    async def redeem(self, client: Client, token: str, restated: Restated) -> SignedReceipt:
        """Redeem one token.

        Raises:
            Invalid: `token_invalid`. Refused: `token_wrong_audience`, `restated_field_mismatch` (burns nothing),
            `deputy_not_appointed`.
            Conflict: `token_already_redeemed`, `case_not_open`. Gone: `token_expired`, `token_cancelled`,
            `verification_expired`, `verification_revoked`. StoreUnavailable: safe to repeat. Unavailable:
            `token_not_yet_valid` if the store's clock was set back.
        """
        presented = Presented(self.tokens.read(token, expected_client=client), restated)
        return (await self._redeem_all(client, presented.claims.case, (presented,), whole_case=False))[0]

    async def redeem_case(
        self, client: Client, case_id: str, tokens: tuple[tuple[str, Restated], ...]
    ) -> tuple[SignedReceipt, ...]:
        """Redeem several people's tokens of one case, all or none, once the case's rule holds.

        Raises:
            As `redeem`; Refused: `rule_not_met`. Conflict: `token_already_redeemed` with every receipt's id if all of
            these tokens were redeemed by this client.
        """
        presented = tuple(
            Presented(self.tokens.read(text, expected_client=client), restated) for text, restated in tokens
        )
        return await self._redeem_all(client, known_case(case_id), presented, whole_case=True)

    async def introspect(self, client: Client, token: str) -> TokenClaims | None:
        """What a token says if this client could redeem it now, else None (RFC 7662). Consumes nothing.

        Raises:
            StoreUnavailable: nobody can tell now.
        """
        try:
            read = self.tokens.read(token, expected_client=client)
            claims = read.claims
            seen = await self.store.look(known_case(claims.case), beside=appointments_of)
            check_key(read, self.rings[client.mode].ring, now=seen.now)
            _check_redeemable(seen, client, claims)
            check_appointed(seen.file.subjects[claims.subject], held_among(seen), now=seen.now)
        except VerifyError as error:
            if isinstance(error, Unavailable) and error.code != "token_not_yet_valid":
                raise
            return None
        return claims

    async def receipt(self, client: Client, receipt_id: str) -> SignedReceipt:
        """A receipt of this client. Raises NotFound `receipt_unknown`."""
        try:
            file, _ = await self.store.load(known_case(receipt_id))
        except NotFound:
            raise _receipt_unknown() from None
        found = file.receipts.get(receipt_id)
        if found is None or found.client != client.id or file.case.mode != client.mode:
            raise _receipt_unknown()
        await self.store.confirm_durable()
        return _signed(found)

    async def _redeem_all(
        self, client: Client, case_id: str, presented: tuple[Presented, ...], *, whole_case: bool
    ) -> tuple[SignedReceipt, ...]:
        ids = tuple(f"rcp_{part_of(case_id)}_{new_part(self.entropy)}" for _ in presented)

        @cache
        def report(_: str) -> tuple[str, str]:
            return new_part(self.entropy), new_secret(self.entropy)

        def decision(seen: Seen) -> Change[tuple[Receipt, ...]]:
            file, now, held = seen.file, seen.now, held_among(seen)
            ring = self.rings[client.mode].ring
            for each in presented:
                check_key(each.token, ring, now=now)
            newest = self.checkpoints.seen(seen)
            covered = newest.claims if newest is not None else NONE_YET
            mismatched = _mismatched(case_id, presented)
            if mismatched:
                return _refused(file, client, mismatched)
            if whole_case:
                _check_not_repeated(file, client, presented)
            for each in presented:
                _check_redeemable(seen, client, each.claims)
                check_appointed(file.subjects[each.claims.subject], held, now=now)
            if whole_case:
                _check_roster_version(file, presented)
                _check_rule(file, presented)
            key = ring.signer(now=now)
            receipts = tuple(
                self._receipt(receipt_id, each.claims, file, now=now, key=key, covered=covered)
                for receipt_id, each in zip(ids, presented, strict=True)
            )
            after = _redeemed(file, receipts).with_(*results(self.vault, file, receipts, report, now=now))
            event = Event(
                name="token.redeemed",
                actor=f"client:{client.id}",
                details={"receipts": ids, "tokens": tuple(each.claims.jti for each in presented)},
            )
            limit = float(min(each.claims.exp for each in presented))
            return Change(after=after, event=event, value=receipts, not_after=limit)

        return tuple(_signed(receipt) for receipt in await self._decide(case_id, decision))

    async def _decide(self, case_id: str, decision: Decision[T]) -> T:
        try:
            return await self.store.decide(case_id, decision, beside=appointments_of, durable=True)
        except LateError:
            raise _token_expired() from None

    def _receipt(
        self,
        receipt_id: str,
        token: TokenClaims,
        file: CaseFile,
        *,
        now: float,
        key: SigningKey,
        covered: CheckpointClaims,
    ) -> Receipt:
        """What the archive keeps: the token without its times, when it was redeemed, and after which history."""
        claims: dict[str, str | int] = {
            **dict(zip(KEPT_CLAIMS, _kept(token), strict=True)),
            "jti": receipt_id,
            "token": token.jti,
            "iat": int(now),
            "audit_entries": file.entries,
            "audit_head": file.head,
            "checkpoint": covered.n,
            "checkpoint_size": covered.size,
            "checkpoint_root": covered.root,
        }
        return Receipt(
            id=receipt_id,
            verification_id=token.verification,
            token_id=token.jti,
            client=token.aud,
            redeemed_at=now,
            claims=claims,
            text=sign(claims, key=key, kind=RECEIPT_KIND, algorithm=self.algorithm),
        )


def _mismatched(case_id: str, presented: tuple[Presented, ...]) -> tuple[str, ...]:
    """Names of the fields that were restated otherwise than the token says."""
    names = {
        name
        for each in presented
        for name, restated, said in zip(RESTATED, _restated(each.restated), _restated(each.claims), strict=True)
        if restated != said or each.claims.case != case_id
    }
    return tuple(sorted(names))


def _refused(file: CaseFile, client: Client, mismatched: tuple[str, ...]) -> Change[tuple[Receipt, ...]]:
    """A mismatch burns nothing and leaves its trace."""
    event = Event(name="redemption.mismatch", actor=f"client:{client.id}", details={"fields": mismatched})
    message = f"the token says otherwise about {', '.join(mismatched)}: it is for another filing, and was not used"
    refusal = Refused("restated_field_mismatch", message, fields=mismatched)
    return Change(after=file, event=event, value=(), refusal=refusal)


def _signed(receipt: Receipt) -> SignedReceipt:
    return SignedReceipt(id=receipt.id, receipt=receipt.text, claims=receipt.claims)


def _check_redeemable(seen: Seen, client: Client, claims: TokenClaims) -> None:
    """Raises what stands against redeeming one token; an earlier redemption is looked at before everything else."""
    file, now = seen.file, seen.now
    verification = file.verifications.get(claims.verification)
    if verification is None:
        raise Gone("token_cancelled", "the verification behind this token does not exist any more")
    if verification.state is VerificationState.REDEEMED:
        raise _already_redeemed(file, client, claims)
    check_open(file.case, now)  # before token and verification: that the case has ended is what the client must hear of
    if now >= claims.exp:
        raise _token_expired()
    if now < claims.iat:
        message = "by the store's clock this token is from the future: the clock was set back; repeat the request"
        raise Unavailable("token_not_yet_valid", message, retry_after=max(1.0, claims.iat - now))
    check_valid(verification, now=now, epoch=seen.epoch)
    if claims.epoch != seen.epoch or verification.token_id != claims.jti:
        raise Gone("token_cancelled", "a newer token was minted for this verification: use that one")


def _check_not_repeated(file: CaseFile, client: Client, presented: tuple[Presented, ...]) -> None:
    """Who repeats the redemption of a whole case is told every receipt, in the order of its tokens."""
    own = _receipts_by_token(file, client)
    found = tuple(own[each.claims.jti] for each in presented if each.claims.jti in own)
    if found and len(found) == len(presented):
        message = "these tokens were redeemed already; a verification is worth one redemption"
        raise Conflict("token_already_redeemed", message, receipt_id=found[0], receipt_ids=found)


def _already_redeemed(file: CaseFile, client: Client, claims: TokenClaims) -> Conflict:
    """The client that redeemed this very token may fetch its receipt."""
    message = "this token was redeemed already; a verification is worth one redemption"
    return Conflict("token_already_redeemed", message, receipt_id=_receipts_by_token(file, client).get(claims.jti))


def _receipts_by_token(file: CaseFile, client: Client) -> Mapping[str, str]:
    """Ids of the receipts of a client's own redemptions, by token id."""
    return {receipt.token_id: receipt.id for receipt in file.receipts.values() if receipt.client == client.id}


def _check_roster_version(file: CaseFile, presented: tuple[Presented, ...]) -> None:
    """Who redeems a whole case must know its present roster; one person's token outlives what does not touch them."""
    if any(each.claims.roster_version != file.case.roster_version for each in presented):
        raise Gone("token_cancelled", "the roster has changed since these tokens were minted: mint them anew")


def _check_rule(file: CaseFile, presented: tuple[Presented, ...]) -> None:
    """The people presented, with those redeemed before, must satisfy the case's rule; nobody twice."""
    people = {each.claims.subject for each in presented}
    if len(people) != len(presented):
        raise Refused("rule_not_met", "the same person's token was presented twice")
    lacking = unmet(file, people | redeemed_subjects(file))
    if lacking is not None:
        raise Refused("rule_not_met", f"the case's rule is not met: {lacking}")


def _redeemed(file: CaseFile, receipts: tuple[Receipt, ...]) -> CaseFile:
    """The file after the redemptions; the case is completed once its rule holds for those who are redeemed."""
    used = [
        replace(file.verifications[receipt.verification_id], state=VerificationState.REDEEMED) for receipt in receipts
    ]
    return completed(file.with_(*used, *receipts))


def _token_expired() -> Gone:
    return Gone("token_expired", "the token has expired: mint a new one")


def _receipt_unknown() -> NotFound:
    return NotFound("receipt_unknown", "there is no such receipt, or it belongs to another client")
