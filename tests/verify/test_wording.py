import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.errors import Invalid
from verify.wording import check_text


def refusal(text: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        check_text(text, field="company_name", longest=40)
    return caught.value


@pytest.mark.parametrize(
    "text", ["上海示例(集团)有限公司", "阿卜杜拉·买买提", "O'Brien & Sons, Ltd.", "Łódź", "नेपाल", "7-Eleven", "한국"]
)
def test_names_of_the_world_are_taken(text: str) -> None:
    assert check_text(text, field="company_name", longest=40) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 公司",
        "公司 ",
        "A  B",
        "公司\n同意转让全部股权",
        "公司\u2028同意",
        "公司\t同意",
        "公司\x00",
        "\u202eyp",
        "abc\u2066def",
        "a\u200bb",
        "a\u00adb",
        "\ufeffcompany",
        "“公司”,并同意",
        'a"b',
        "A\u00a0B",
        "公\u3000司",
        "e" + "\u0301" * 5,
        "\u0301e",
        "a<b>",
        "a\ue000",
        "😀",
        "x" * 41,
    ],
)
def test_what_could_imitate_other_text_is_refused_and_never_quoted(text: str) -> None:
    error = refusal(text)
    assert error.code == "text_invalid"
    assert str(error).startswith("company_name ")
    assert len(text.strip()) < 2 or text not in str(error)


def test_one_name_has_one_form() -> None:
    assert check_text("Lo\u0301dz", field="name", longest=40) == "L\u00f3dz"


@given(st.text(max_size=50))
def test_any_text_is_one_safe_line_or_refused(text: str) -> None:
    try:
        taken = check_text(text, field="name", longest=40)
    except Invalid:
        return
    assert taken.isprintable()
    assert len(taken.splitlines()) == 1
    assert check_text(taken, field="name", longest=40) == taken
