"""Identity documents: what a number must look like, and the form of it that stays with the person.

A number is refused by the first rule that it breaks; the message names the rule and never quotes the number.

cn_resident_id        GB 11643-1999: 6 digits of region, birth date, 3 digits of sequence, check character
hmt_residence_permit  the same form for residents from Hong Kong (810000), Macau (820000), Taiwan (830000)
passport              ICAO 9303: a document number of 1 to 9 characters, with its MRZ check digit if one is given
hk_macau_permit       home return permit: H or M and 8 digits for life, in the older form with 2 digits of renewal
taiwan_permit         compatriot permit: 8 digits
foreign_permanent_resident_card
                      before 2023: 3 letters and 12 digits; since then 9 and 17 characters, in the resident ID's form
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from re import fullmatch
from unicodedata import normalize

from verify.errors import Invalid

PROVINCES = frozenset(
    str(code)
    for span in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71))
    for code in range(span[0], span[1] + 1)
)
"""First two digits of GB/T 2260 without Hong Kong and Macau, whose people have `hmt_residence_permit`."""

CIVIL_TIME = timezone(timedelta(hours=8))
"""China's time, in which a birth date is past or not."""
PERMIT_REGIONS = frozenset(("810000", "820000", "830000"))
EARLIEST_BIRTH = date(1900, 1, 1)
RESIDENT_CHECK_CHARACTERS = "10X98765432"
"""By the weighted sum modulo 11 (GB 11643-1999, ISO 7064 MOD 11-2)."""
MRZ_WEIGHTS = (7, 3, 1)
GERMANY = frozenset(("D", "D<<"))
"""As its passports name it. ISO 3166 has DEU: both are one state, and a passport may be entered either way."""
LIFELONG_PERMIT_CHARACTERS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityDocument:
    """A document as a client enters it. `issuing_state` and `mrz_check_digit` are of passports."""

    type: str
    number: str
    issuing_state: str | None = None
    mrz_check_digit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDocument:
    """A document whose number has the form of its type. `number`: upper case, without spaces."""

    type: str
    number: str
    person: str
    """What stays the same for the person: without a permit's renewals, with the state that issued a passport."""

    @property
    def stateless(self) -> str | None:
        """Of a passport with its state what `person` would be without; None of any other document."""
        has_state = self.type == "passport" and self.person != f":{self.number}"
        return f":{self.number}" if has_state else None


def check_document(document: IdentityDocument, *, today: date) -> CheckedDocument:
    """The document with its number in one normal form, so that the same person gives the same hash.

    Raises:
        Invalid: `id_document_type_unknown`, `id_document_invalid`.
    """
    check = _CHECKS.get(document.type)
    if check is None:
        raise Invalid("id_document_type_unknown", f"no ID document has that type; choose one of {', '.join(_CHECKS)}")
    if document.type != "passport" and (document.issuing_state, document.mrz_check_digit) != (None, None):
        raise _invalid("only a passport has an issuing state and an MRZ check digit")
    normal = _normal(document.number)
    return CheckedDocument(type=document.type, number=normal, person=check(document, normal, today))


def civil_date(now: float) -> date:
    """The date in China at a time (Unix seconds)."""
    return datetime.fromtimestamp(now, CIVIL_TIME).date()


def resident_check_character(digits: str) -> str:
    """Check character of the first 17 digits of a resident ID: weights 2^(17−i) mod 11 (GB 11643-1999)."""
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(digits))
    return RESIDENT_CHECK_CHARACTERS[total % 11]


def mrz_check_digit(field: str) -> str:
    """Check digit of a field of a machine-readable zone: weights 7 3 1, `<` = 0, A..Z = 10..35 (ICAO 9303-3, 4.9)."""
    values = (0 if character == "<" else int(character, 36) for character in field)
    return str(sum(value * MRZ_WEIGHTS[place % 3] for place, value in enumerate(values)) % 10)


def _resident_id(_: IdentityDocument, number: str, today: date) -> str:
    _check_resident_form(number, today)
    if number[:6] in PERMIT_REGIONS:
        raise _invalid("this is the region of a residence permit: its type is hmt_residence_permit")
    if number[:2] not in PROVINCES:
        raise _invalid("the first two digits name no province-level division")
    return number


def _residence_permit(_: IdentityDocument, number: str, today: date) -> str:
    _check_resident_form(number, today)
    if number[:6] not in PERMIT_REGIONS:
        raise _invalid(f"the first six digits of a residence permit are one of {', '.join(sorted(PERMIT_REGIONS))}")
    return number


def _check_resident_form(number: str, today: date) -> None:
    if not fullmatch("[0-9]{17}[0-9X]", number):
        raise _invalid("it needs 17 digits and a check character, a digit or X")
    _check_birth(number[6:14], today)
    if number[17] != resident_check_character(number[:17]):
        raise _invalid("the check character does not fit the digits before it")


def _check_birth(digits: str, today: date) -> None:
    try:
        born = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise _invalid("the birth date in it is no date") from None
    if not EARLIEST_BIRTH <= born < today:
        raise _invalid("the birth date in it is not between 1900 and today")


def _passport(document: IdentityDocument, number: str, _: date) -> str:
    if not fullmatch("[A-Z0-9]{1,9}", number):
        raise _invalid("a passport's number has 1 to 9 letters A to Z and digits")
    if document.mrz_check_digit not in {None, mrz_check_digit(number)}:
        raise _invalid("the MRZ check digit does not fit the number")
    return f"{_issuing_state(document.issuing_state)}:{number}"


def _issuing_state(given: str | None) -> str:
    """Three letters, "" if none was given. ICAO 9303-3, 5 knows one shorter code: D, in the zone `D<<`."""
    if given is None:
        return ""
    state = _normal(given)
    if state in GERMANY:
        return "DEU"
    if not fullmatch("[A-Z]{3}", state):
        raise _invalid("the issuing state has three letters, such as CHN, or is D as German passports have it")
    return state


def _hk_macau_permit(_: IdentityDocument, number: str, __: date) -> str:
    if not fullmatch("[HM](?:[0-9]{8}|[0-9]{10})", number):
        raise _invalid("a home return permit has H or M and 8 or 10 digits")
    return number[:LIFELONG_PERMIT_CHARACTERS]


def _taiwan_permit(_: IdentityDocument, number: str, __: date) -> str:
    if not fullmatch("[0-9]{8}", number):
        raise _invalid("a compatriot permit has 8 digits")
    return number


def _foreign_resident_card(_: IdentityDocument, number: str, today: date) -> str:
    if fullmatch("[A-Z]{3}[0-9]{12}", number):
        return number
    if not number.startswith("9"):
        raise _invalid("the card has 3 letters and 12 digits, or since 2023 18 characters that begin with 9")
    _check_resident_form(number, today)
    return number


def _normal(text: str) -> str:
    """Upper case without white space; full-width letters and digits of an input method as plain ones."""
    return "".join(normalize("NFKC", text).split()).upper()


def _invalid(rule: str) -> Invalid:
    return Invalid("id_document_invalid", f"the ID document's number cannot be right: {rule}")


_CHECKS: Mapping[str, Callable[[IdentityDocument, str, date], str]] = {
    "cn_resident_id": _resident_id,
    "hmt_residence_permit": _residence_permit,
    "passport": _passport,
    "hk_macau_permit": _hk_macau_permit,
    "taiwan_permit": _taiwan_permit,
    "foreign_permanent_resident_card": _foreign_resident_card,
}
