"""What a filing is about: the fields that a client fills in and people confirm."""

from verify.amounts import check_money
from verify.casefile import Details
from verify.wording import check_text

LONGEST_NAME = 120


def check_details(details: Details) -> Details:
    """The details in normal form. Raises Invalid `text_invalid`, `amount_invalid`."""
    company, capital, other = details.company_name, details.registered_capital, details.counterparty
    return Details(
        company_name=None if company is None else check_text(company, field="company_name", longest=LONGEST_NAME),
        registered_capital=None if capital is None else check_money(capital),
        counterparty=None if other is None else check_text(other, field="counterparty", longest=LONGEST_NAME),
    )
