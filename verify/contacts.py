"""Contacts: where a person can be reached, checked and brought into one form.

They are personal data, and are nobody's to see but the gateway's: sealed wherever they are kept, shown masked only.
"""

from dataclasses import dataclass, field

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from verify.casefile import Channel
from verify.errors import Invalid
from verify.masking import mask_email, mask_phone

MOBILE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
"""Kinds of numbers that take text messages. Some countries' plans cannot tell; premium rate numbers are never among
them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A mobile number in E.164 (`+8613812345678`), or an e-mail address with its domain in ASCII."""

    channel: Channel
    to: str = field(repr=False)

    @property
    def masked(self) -> str:
        """As it may be shown."""
        return mask_phone(self.to) if self.channel == "sms" else mask_email(self.to)

    @property
    def mailbox(self) -> str:
        """The same for addresses that lead to the same person: without case and without what follows a `+`."""
        if self.channel == "sms":
            return self.to
        local, _, domain = self.to.lower().rpartition("@")
        return f"{local.partition('+')[0]}@{domain}"


def contact(channel: Channel, to: str) -> Contact:
    """A contact as a client enters it.

    Raises:
        Invalid: `contact_invalid`; says what is wrong, never the contact.
    """
    return Contact(channel=channel, to=_phone(to) if channel == "sms" else _email(to))


def _phone(to: str) -> str:
    try:
        number = phonenumbers.parse(to, None)
    except NumberParseException:
        raise _invalid("a phone number begins with + and the country's code, such as +8613812345678") from None
    if not phonenumbers.is_valid_number(number) or number.extension:
        raise _invalid("the country that this phone number names has no such number")
    if phonenumbers.number_type(number) not in MOBILE:
        raise _invalid("this phone number takes no text messages: enter a mobile number")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _email(to: str) -> str:
    try:
        found = validate_email(to, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise _invalid("this is no e-mail address that can be written to") from None
    if found.ascii_email is None:  # only with SMTPUTF8, which not every mail server speaks
        raise _invalid("the part of an e-mail address before the @ has ASCII characters only")
    return found.ascii_email


def _invalid(message: str) -> Invalid:
    return Invalid("contact_invalid", message)
