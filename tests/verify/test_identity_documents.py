from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from verify.errors import Invalid
from verify.identity_documents import (
    EARLIEST_BIRTH,
    PERMIT_REGIONS,
    PROVINCES,
    IdentityDocument,
    check_document,
    mrz_check_digit,
    resident_check_character,
)

TODAY = date(2026, 11, 25)


def with_check(digits: str) -> str:
    return digits + resident_check_character(digits)


def checked(kind: str, number: str, **passport: str) -> str:
    return check_document(IdentityDocument(type=kind, number=number, **passport), today=TODAY).person


def refusal(kind: str, number: str, **passport: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        checked(kind, number, **passport)
    return caught.value


births = st.dates(min_value=EARLIEST_BIRTH, max_value=TODAY - timedelta(days=1)).map(lambda born: f"{born:%Y%m%d}")
sequences = st.integers(0, 999).map(lambda number: f"{number:03d}")
regions = st.tuples(st.sampled_from(sorted(PROVINCES)), st.integers(0, 9999)).map(lambda two: f"{two[0]}{two[1]:04d}")
resident_ids = st.tuples(regions, births, sequences).map(lambda parts: with_check("".join(parts)))


@given(resident_ids)
def test_a_resident_id_with_its_check_character_is_taken(number: str) -> None:
    assert checked("cn_resident_id", number) == number


@given(resident_ids, st.integers(0, 17), st.sampled_from("0123456789X"))
def test_a_resident_id_with_one_character_changed_is_refused(number: str, place: int, other: str) -> None:
    assume(number[place] != other)
    error = refusal("cn_resident_id", number[:place] + other + number[place + 1 :])
    assert error.code == "id_document_invalid"


@given(resident_ids, st.integers(0, 16))
def test_a_resident_id_with_two_neighbours_swapped_is_refused(number: str, place: int) -> None:
    assume(number[place] != number[place + 1])
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert refusal("cn_resident_id", swapped).code == "id_document_invalid"


def test_known_resident_ids() -> None:
    """The examples of GB 11643-1999: a man born on the last day of 1949, a woman of 1880, whose year is too early."""
    assert checked("cn_resident_id", "11010519491231002X") == "11010519491231002X"
    assert "birth date" in str(refusal("cn_resident_id", "440524188001010014"))


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("1101051949123100", "17 digits"),
        ("11010519491231002Y", "17 digits"),
        ("X1010519491231002X", "17 digits"),
        ("", "17 digits"),
        ("²10105194912310021", "check character"),
        (with_check("11010519490229001"), "no date"),
        (with_check("11010520261125001"), "birth date"),
        (with_check("11010518991231001"), "birth date"),
        (with_check("99010519491231001"), "province"),
        (with_check("81000019491231001"), "hmt_residence_permit"),
        ("110105194912310021", "check character"),
    ],
)
def test_the_rule_that_failed_is_named_and_the_number_never_quoted(number: str, rule: str) -> None:
    message = str(refusal("cn_resident_id", number))
    assert rule in message
    assert not number or number not in message


@pytest.mark.parametrize(
    "written", ["11010519491231002x", " 110105 19491231 002X ", "１１０１０５１９４９１２３１００２Ｘ"]
)
def test_one_person_has_one_number_however_it_is_written(written: str) -> None:
    assert checked("cn_resident_id", written) == "11010519491231002X"


@pytest.mark.parametrize("region", sorted(PERMIT_REGIONS))
def test_a_residence_permit_has_the_resident_ids_form(region: str) -> None:
    number = with_check(f"{region}19900101001")
    assert checked("hmt_residence_permit", number) == number
    assert refusal("hmt_residence_permit", "11010519491231002X").code == "id_document_invalid"


def test_check_digits_of_the_specimen_in_icao_9303() -> None:
    assert [mrz_check_digit(field) for field in ("L898902C3", "740812", "120415", "ZE184226B<<<<<")] == list("6291")


@pytest.mark.parametrize("number", ["E12345678", "A", "l898902c3", "E 1234"])
def test_a_passport_number_is_taken(number: str) -> None:
    assert checked("passport", number).endswith(number.upper().replace(" ", ""))


@pytest.mark.parametrize("number", ["", "E123456789", "Ä1234", "E-1234", "<<<"])
def test_a_passport_number_of_another_form_is_refused(number: str) -> None:
    assert "1 to 9" in str(refusal("passport", number))


def test_an_mrz_check_digit_is_checked() -> None:
    assert checked("passport", "L898902C3", mrz_check_digit="6")
    for wrong in ("5", "", "66", "٦"):
        assert "MRZ" in str(refusal("passport", "L898902C3", mrz_check_digit=wrong))


def test_the_state_that_issued_a_passport_belongs_to_the_person() -> None:
    assert checked("passport", "A1", issuing_state="CHN") != checked("passport", "A1", issuing_state="UTO")
    assert "three letters" in str(refusal("passport", "A1", issuing_state="CN"))
    for state in ("", "C", "DE", "D<", "CHIN", "D1"):
        assert "three letters" in str(refusal("passport", "A1", issuing_state=state))
    assert "only a passport" in str(refusal("taiwan_permit", "12345678", issuing_state="CHN"))


def test_germany_is_one_state_under_the_letter_of_its_passports_and_under_that_of_iso() -> None:
    """ICAO 9303-3, 5: the one code that has not three letters; the machine-readable zone fills it up."""
    spellings = ("D", "d", "D<<", "Ｄ", "DEU")
    assert len({checked("passport", "C01X00T47", issuing_state=each) for each in spellings}) == 1
    assert checked("passport", "C01X00T47", issuing_state="D") != checked("passport", "C01X00T47")


@pytest.mark.parametrize("state", ["GBD", "GBS", "UNO", "EUE", "RKS", "XOM", "XPO", "XXA", "XXX", "UTO"])
def test_codes_that_only_travel_documents_have_are_taken(state: str) -> None:
    assert checked("passport", "A1", issuing_state=state) == f"{state}:A1"


def test_what_a_passport_would_be_without_its_state_is_known() -> None:
    def stateless(kind: str, number: str, **passport: str) -> str | None:
        return check_document(IdentityDocument(type=kind, number=number, **passport), today=TODAY).stateless

    assert stateless("passport", "a 1", issuing_state="CHN") == checked("passport", "A1")
    assert stateless("passport", "A1") is None
    assert stateless("taiwan_permit", "12345678") is None


def test_a_home_return_permit_that_was_renewed_is_the_same_person() -> None:
    assert checked("hk_macau_permit", "H1234567801") == checked("hk_macau_permit", "h12345678") == "H12345678"


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("hk_macau_permit", "T12345678"),
        ("hk_macau_permit", "H123456789"),
        ("taiwan_permit", "1234567"),
        ("taiwan_permit", "A2345678"),
        ("foreign_permanent_resident_card", "CHN12345678901"),
        ("foreign_permanent_resident_card", "811234199001010010"),
        ("foreign_permanent_resident_card", "911234199001010010"),
        ("foreign_permanent_resident_card", "91123419900101"),
    ],
)
def test_other_documents_of_another_form_are_refused(kind: str, number: str) -> None:
    assert refusal(kind, number).code == "id_document_invalid"


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("taiwan_permit", "12345678"),
        ("foreign_permanent_resident_card", "USA310119900101"),
        ("foreign_permanent_resident_card", with_check("91184019900101001")),
    ],
)
def test_other_documents_are_taken(kind: str, number: str) -> None:
    assert checked(kind, number)


@given(st.text(max_size=12))
def test_an_unknown_type_is_unknown(kind: str) -> None:
    assert refusal(f"x{kind}", "12345678").code == "id_document_type_unknown"


@given(st.sampled_from(["cn_resident_id", "passport", "hk_macau_permit", "foreign_permanent_resident_card"]), st.text())
def test_any_text_is_a_number_or_refused(kind: str, text: str) -> None:
    try:
        assert checked(kind, text).isascii()
    except Invalid as error:
        assert error.code == "id_document_invalid"
