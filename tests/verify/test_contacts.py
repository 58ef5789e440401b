import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verify.contacts import contact
from verify.errors import Invalid


@pytest.mark.parametrize(
    ("channel", "entered", "kept"),
    [
        ("sms", "+86 138-1234-5678", "+8613812345678"),
        ("sms", "+85291234567", "+85291234567"),
        ("sms", "+12025550123", "+12025550123"),
        ("email", "zhang@Example.COM", "zhang@example.com"),
        ("email", "zhang@测试.公司", "zhang@xn--0zwm56d.xn--55qx5d"),
    ],
)
def test_contacts_are_brought_into_one_form(channel: str, entered: str, kept: str) -> None:
    assert contact(channel, entered).to == kept


@pytest.mark.parametrize(
    ("channel", "entered"),
    [
        ("sms", "13812345670"),
        ("sms", "+861381234567"),
        ("sms", "+862112345678"),  # a landline in Shanghai
        ("sms", "+449098790000"),  # premium rate
        ("sms", "+8613812345678;ext=12"),
        ("sms", "zhang@example.com"),
        ("email", "zhang"),
        ("email", "zhang@localhost"),
        ("email", "zhang@[127.0.0.1]"),
        ("email", "张三@example.com"),
        ("email", "zhang@example.com\nBcc: li@example.com"),
        ("email", "zhang@example.com, li@example.com"),
    ],
)
def test_what_cannot_be_written_to_is_refused_without_being_quoted(channel: str, entered: str) -> None:
    with pytest.raises(Invalid) as caught:
        contact(channel, entered)
    assert caught.value.code == "contact_invalid"
    assert entered not in str(caught.value)


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_nothing_but_a_refusal_comes_of_other_text(entered: str) -> None:
    for channel in ("sms", "email"):
        try:
            found = contact(channel, entered)
        except Invalid as error:
            assert error.code == "contact_invalid"
        else:
            assert found.to.isascii()
            assert found.to.isprintable()


def test_a_masked_contact_tells_little() -> None:
    assert contact("sms", "+8613812345678").masked == "+86*********78"
    assert contact("email", "zhang.sanfeng@mail.example.com").masked == "z***@m***.com"


def test_a_contact_does_not_show_itself() -> None:
    assert "13812345678" not in repr(contact("sms", "+8613812345678"))


def test_addresses_of_one_mailbox_count_as_one() -> None:
    written = ("zhang@example.com", "Zhang+1@example.com", "ZHANG+2+3@EXAMPLE.com")
    assert {contact("email", each).mailbox for each in written} == {"zhang@example.com"}
