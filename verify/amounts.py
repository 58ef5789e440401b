"""Shares and sums of money as exact decimal text: what a person agrees to must not be rounded on its way."""

from collections.abc import Iterable
from decimal import Decimal
from re import fullmatch

from verify.casefile import Money
from verify.errors import Invalid

WHOLE = Decimal(100)


def check_share(text: str) -> str:
    """A share in percent in its shortest form, such as `33.333333`.

    Raises:
        Invalid: `share_invalid` unless it is more than 0, at most 100, with at most 6 decimal places.
    """
    if not fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,6})?", text) or not 0 < Decimal(text) <= WHOLE:
        raise Invalid("share_invalid", "a share is a decimal number above 0 and up to 100, with up to 6 places")
    return _shortest(text)


def check_shares(shares: Iterable[str]) -> None:
    """Raises Invalid `share_invalid` if the shares of a case (checked each) come to more than 100 %."""
    total = sum(map(Decimal, shares), Decimal(0))
    if total > WHOLE:
        raise Invalid("share_invalid", f"the shares of the roster come to {_shortest(str(total))} %, more than 100")


def check_money(money: Money) -> Money:
    """A sum in its shortest form.

    Raises:
        Invalid: `amount_invalid` unless it is above 0, with at most 15 digits before and 2 after the point, in a
            currency of three letters (ISO 4217).
    """
    if not fullmatch(r"[0-9]{1,15}(?:\.[0-9]{1,2})?", money.amount) or not Decimal(money.amount):
        raise Invalid("amount_invalid", "an amount is a decimal number above 0 with up to 15 digits and 2 places")
    if not fullmatch("[A-Z]{3}", money.currency):
        raise Invalid("amount_invalid", "a currency has three letters (ISO 4217), such as CNY")
    return Money(amount=_shortest(money.amount), currency=money.currency)


def grouped(amount: str) -> str:
    """A checked amount with its thousands apart: 1,250,000.5."""
    return f"{Decimal(amount):,}"


def _shortest(text: str) -> str:
    whole, _, places = text.partition(".")
    places = places.rstrip("0")
    return f"{int(whole)}.{places}" if places else str(int(whole))
