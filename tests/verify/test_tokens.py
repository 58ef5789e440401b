"""What a forger may try. Everything is one refusal: why helps nobody but the forger."""

import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey
from registry_office import CREDIT_CODE, Office, holding, person, restate

from verify.errors import Conflict, Invalid, Refused
from verify.jose import new_signing_key, sign
from verify.redemption import RECEIPT_KIND
from verify.tokens import TOKEN_KIND


def encoded(part: Any) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def decoded(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.fixture
async def token(office: Office) -> str:
    file, (subject,) = await office.case()
    return await office.verified_token(file, subject)


def claims_of(token: str) -> dict[str, Any]:
    return dict(decoded(token.split(".")[1]))


def resigned(office: Office, token: str, *, without: str = "", kind: str = TOKEN_KIND, **changes: Any) -> str:
    """Signed with the right key, but saying something else."""
    claims = {name: value for name, value in {**claims_of(token), **changes}.items() if name != without}
    return sign(claims, key=office.signer(), kind=kind)


def refused(office: Office, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        office.tokens.read(text, expected_client=office.client)
    assert caught.value.code == "token_invalid"


async def test_a_good_token_says_all_that_it_is_for(office: Office, token: str) -> None:
    claims = office.tokens.read(token, expected_client=office.client).claims
    assert (claims.iss, claims.aud, claims.method, claims.capture) == (
        "heyan",
        office.client.id,
        "remote",
        "unattested",
    )
    assert 0 < claims.exp - claims.iat <= 600


async def test_a_token_says_on_whose_behalf(office: Office, token: str) -> None:
    assert office.tokens.read(token, expected_client=office.client).claims.on_behalf_of == "self"
    signer = person(signs_for=CREDIT_CODE)
    file, (subject,) = await office.case(subjects=(signer,), organisations=(holding(),))
    signed = await office.verified_token(file, subject)
    receipt = await office.redemptions.redeem(office.client, signed, restate(file, subject))
    assert claims_of(signed)["on_behalf_of"] == receipt.claims["on_behalf_of"] == f"organisation:{CREDIT_CODE}"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES256", "EdDSA", "", None])
async def test_another_algorithm_is_refused(office: Office, token: str, algorithm: str | None) -> None:
    header, payload, signature = token.split(".")
    forged = encoded({**decoded(header), "alg": algorithm})
    refused(office, f"{forged}.{payload}.{signature}")
    refused(office, f"{forged}.{payload}.")


async def test_the_public_key_is_no_shared_secret(office: Office, token: str) -> None:
    public = json.dumps(office.signer().verifying("live").public_jwk()).encode()
    header = {**decoded(token.split(".", maxsplit=1)[0]), "alg": "HS256"}
    forged = jws.serialize_compact(header, json.dumps(claims_of(token)), OctKey.import_key(public))
    refused(office, forged)


async def test_another_keys_signature_is_refused_even_under_our_key_id(office: Office, token: str) -> None:
    stranger = new_signing_key()
    refused(office, sign(claims_of(token), key=stranger, kind=TOKEN_KIND))
    header, payload, _ = token.split(".")
    signature = sign(claims_of(token), key=stranger, kind=TOKEN_KIND).split(".")[2]
    refused(office, f"{header}.{payload}.{signature}")


async def test_the_key_of_test_mode_signs_nothing_live(office: Office, token: str) -> None:
    refused(office, sign(claims_of(token), key=office.signer("test"), kind=TOKEN_KIND))


def signed_with(office: Office, token: str, **header: Any) -> str:
    """Correctly signed by our own key, under a header that says more or something else."""
    full = {**decoded(token.split(".", maxsplit=1)[0]), **header}
    registry = jws.JWSRegistry(algorithms=["Ed25519", "EdDSA"], strict_check_header=False)
    return jws.serialize_compact(full, json.dumps(claims_of(token)), office.signer().key, registry=registry)


@pytest.mark.parametrize(
    "header",
    [{"alg": "EdDSA"}, {"jwk": {"kty": "oct"}}, {"jku": "https://evil.example"}, {"typ": "JWT"}, {"kid": "other"}],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_a_good_signature_under_another_header_is_refused(
    office: Office, token: str, header: dict[str, Any]
) -> None:
    assert office.tokens.read(signed_with(office, token), expected_client=office.client).claims
    refused(office, signed_with(office, token, **header))


async def test_a_receipt_is_no_token(office: Office, token: str) -> None:
    refused(office, resigned(office, token, kind=RECEIPT_KIND))


@pytest.mark.parametrize("claim", ["exp", "iat", "jti", "aud", "iss", "case", "subject", "verification", "epoch"])
async def test_every_claim_is_needed(office: Office, token: str, claim: str) -> None:
    refused(office, resigned(office, token, without=claim))


@pytest.mark.parametrize("exp", ["4102444800", 4102444800.5, True, None, [4102444800], math.nan, math.inf])
async def test_an_expiry_is_a_whole_number(office: Office, token: str, exp: Any) -> None:
    refused(office, resigned(office, token, exp=exp))


async def test_another_issuer_is_refused(office: Office, token: str) -> None:
    refused(office, resigned(office, token, iss="heyan/test"))


async def test_another_audience_is_told_so(office: Office, token: str) -> None:
    with pytest.raises(Refused) as caught:
        office.tokens.read(resigned(office, token, aud="cli_other"), expected_client=office.client)
    assert caught.value.code == "token_wrong_audience"


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "🙂.🙂.🙂", "x" * 10_000])
async def test_text_that_is_no_token_is_refused(office: Office, text: str) -> None:
    refused(office, text)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), letter=st.sampled_from("AZaz09-_.="))
async def test_a_token_with_one_letter_changed_is_refused(office: Office, token: str, place: int, letter: str) -> None:
    at = place % (len(token) - 1)  # the last letter of a signature carries bits that nobody reads
    if token[at] != letter:
        refused(office, token[:at] + letter + token[at + 1 :])


async def test_nobody_mints_without_a_verification(office: Office) -> None:
    file, (subject,) = await office.case()
    with pytest.raises(Conflict) as caught:
        await office.mint(file, subject)
    assert caught.value.code == "not_verified"


async def test_a_token_never_outlives_its_verification(office: Office) -> None:
    file, (subject,) = await office.case()
    await office.verify(file, subject)
    (verification,) = (await office.file(file.case.id)).verifications.values()
    office.store.stop_at(verification.valid_until - 10)
    minted = await office.tokens.mint(office.client, file.case.id, subject)
    assert minted.expires_at.timestamp() <= verification.valid_until


async def test_a_token_that_was_made_up_for_a_real_case_is_worth_nothing(office: Office, token: str) -> None:
    claims = office.tokens.read(token, expected_client=office.client).claims
    file = await office.file(claims.case)
    with pytest.raises(Invalid):
        await office.redemptions.redeem(
            office.client, sign(claims_of(token), key=new_signing_key(), kind=TOKEN_KIND), restate(file, claims.subject)
        )
