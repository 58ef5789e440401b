from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.amounts import check_money, check_share, check_shares, grouped
from verify.casefile import Money
from verify.errors import Invalid

shares = st.decimals("0.000001", "100", places=6)


@given(shares)
def test_a_share_keeps_its_value_exactly(share: Decimal) -> None:
    taken = check_share(f"{share:f}")
    assert Decimal(taken) == share
    assert check_share(taken) == taken


@pytest.mark.parametrize(("written", "form"), [("30.00", "30"), ("030", "30"), ("100.000000", "100"), ("0.5", "0.5")])
def test_a_share_has_one_form(written: str, form: str) -> None:
    assert check_share(written) == form


@pytest.mark.parametrize(
    "text", ["", "0", "0.000000", "100.000001", "-1", "1e2", "33.3333333", "NaN", "inf", "٣", "1,5", " 5", "5\n", "1."]
)
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_share(text)
    assert caught.value.code == "share_invalid"


def test_a_third_three_times_is_not_more_than_the_whole() -> None:
    check_shares(["33.333333"] * 3)
    check_shares(["33.333333", "33.333333", "33.333334"])
    with pytest.raises(Invalid, match=r"100\.000001") as caught:
        check_shares(["33.333333", "33.333333", "33.333335"])
    assert caught.value.code == "share_invalid"


def test_money_is_exact_and_grouped_for_the_eye() -> None:
    assert check_money(Money(amount="0012345678.50", currency="CNY")) == Money(amount="12345678.5", currency="CNY")
    assert grouped("12345678.5") == "12,345,678.5"
    assert grouped("999999999999999") == "999,999,999,999,999"


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("0", "CNY"),
        ("0.00", "CNY"),
        ("1.005", "CNY"),
        ("1e6", "CNY"),
        ("", "CNY"),
        ("5", "cny"),
        ("5", "元"),
        ("5", ""),
    ],
)
def test_what_is_no_sum_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_money(Money(amount=amount, currency=currency))
    assert caught.value.code == "amount_invalid"
