"""Invites, as a phone uses them. No API key: the code in the link is the credential. GET changes nothing anywhere."""

from fastapi import APIRouter

from api.dependencies import ServicesNow
from api.qr_code import drawn
from api.schemas.invites import (
    ConsentBody,
    ConsentTextBody,
    ExchangeBody,
    GrantBody,
    IntentTextBody,
    InviteBody,
    InviteCode,
    QrCodeBody,
    WordsBody,
)
from verify.casefile import Words
from verify.invites import ConsentGiven, InviteView

router = APIRouter(prefix="/v1/invites", tags=["invites"])


@router.post("/inspect")
async def inspect_invite(body: InviteCode, services: ServicesNow) -> InviteBody:
    """What the link is for, and the texts to agree to. Burns nothing and may be asked any number of times."""
    return _invite_body(await services.invites.inspect(body.code))


@router.post("/consent")
async def consent(body: ConsentBody, services: ServicesNow) -> InviteBody:
    """Record consent and intent before any pixel, or that the person declines. The ID photo becomes a template now."""
    given = ConsentGiven(
        agreed=body.agreed,
        consent_version=body.consent_version,
        consent_sha256=body.consent_sha256,
        intent_sha256=body.intent_sha256,
        language=body.language,
    )
    return _invite_body(await services.invites.consent(body.code, given))


@router.post("/qr-code")
async def qr_code(body: InviteCode, services: ServicesNow) -> QrCodeBody:
    """The same link as a QR code, for going on at a phone. Burns nothing."""
    await services.invites.inspect(body.code)
    drawing = drawn(f"{services.public_url}/#{body.code}")
    return QrCodeBody(size=drawing.size, path=drawing.path)


@router.post("/exchange")
async def exchange(body: ExchangeBody, services: ServicesNow) -> GrantBody:
    """Burn the link for a grant, which opens up to three sessions. A phone with its own secret may repeat it."""
    grant = await services.invites.exchange(body.code, grant_secret=body.grant_secret)
    return GrantBody(grant=grant.secret, attempts_left=grant.attempts_left, expires_at=grant.expires_at)


def _invite_body(view: InviteView) -> InviteBody:
    return InviteBody(
        state=view.state,
        case_id=view.case_id,
        requester=view.requester,
        action=view.action,
        action_words=_words(view.action_words),
        role=view.role,
        role_words=_words(view.role_words),
        name_masked=view.name_masked,
        consent=ConsentTextBody(
            version=view.consent.version, zh=view.consent.zh, en=view.consent.en, sha256=view.consent_sha256
        ),
        intent=IntentTextBody(zh=view.intent.zh, en=view.intent.en, sha256=view.intent_sha256),
        expires_at=view.expires_at,
        attempts_left=view.attempts_left,
        return_url=view.return_url,
        ended=view.ended,
    )


def _words(words: Words) -> WordsBody:
    return WordsBody(zh=words[0], en=words[1])
