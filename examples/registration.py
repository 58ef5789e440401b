"""A registration flow: two shareholders verify for a capital increase, then their tokens are redeemed together.

    heyan keys create --client example --test
    python -m examples.registration http://127.0.0.1:8420 hk_test_…

In test mode the people act by name. In live mode you would deliver `invite(…).url`, or let the service do that, and do
something else meanwhile.
"""

import sys
from base64 import b64decode
from hashlib import sha256

from examples.client import Case, Heyan, HeyanError, NewSubject, Receipt

PHOTO = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQAAAACCEkxzAAAAFElEQVR42mP8zwABTAyjjFEGyQwAzx8Bf7QK4E8AAAAASUVORK5CYII="
)
"""In test mode any picture will do."""

DOCUMENT = b"Resolution of the shareholders: the registered capital is increased."


def shareholder(number: str) -> NewSubject:
    """A person who will verify."""
    return NewSubject(
        name="Test Accepted",
        role="shareholder",
        id_type="passport",
        id_number=number,
        photo=PHOTO,
        provenance="authority",
    )


def register(heyan: Heyan, *, number: str) -> tuple[Receipt, ...]:
    """One filing from its opening to its receipts; `number` is our own, and makes opening safe to repeat.

    Raises:
        HeyanError: what the service refused.
        LookupError: the case ended before everybody had verified.
    """
    case = heyan.open_case(
        action="capital.increase",
        document_sha256=sha256(DOCUMENT).hexdigest(),
        subjects=[shareholder("E00000001"), shareholder("E00000002")],
        external_id=number,
        idempotency_key=f"open-case-{number}",
    )
    for subject in case.subjects:
        heyan.simulate(case.id, subject.id)
    return heyan.redeem_together(case, await_tokens(heyan, case))


def await_tokens(heyan: Heyan, case: Case) -> dict[str, str]:
    """Tokens by subject, minted once the last person has verified: none runs out while others take their time."""
    missing = {subject.id for subject in case.subjects}
    for event in heyan.events(case.id):
        if event.type == "subject.verified":
            missing.discard(event.data["subject"])
        if not missing:
            return {subject.id: heyan.mint(case.id, subject.id) for subject in case.subjects}
    raise LookupError(f"{case.id} has ended, and {len(missing)} people had not verified")


def main() -> None:
    """Run the flow once, and print the receipts."""
    url, key, number = (*sys.argv[1:], "2026-000123")[:3]
    try:
        with Heyan(url, key) as heyan:
            for receipt in register(heyan, number=number):
                print(receipt.id, receipt.claims["subject"], receipt.claims["capture"])
    except HeyanError as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
