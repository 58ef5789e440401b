import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.errors import Invalid
from verify.return_links import check_origin, check_return_url

ORIGINS = ("https://registry.example", "http://127.0.0.1:8421")


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("https://registry.example", "https://registry.example"),
        ("HTTPS://Registry.Example:443/", "https://registry.example"),
        ("https://registry.example:8443", "https://registry.example:8443"),
        ("http://localhost:8421", "http://localhost:8421"),
        ("http://[::1]:8421", "http://[::1]:8421"),
        ("https://registry.example:4430", "https://registry.example:4430"),
    ],
)
def test_an_origin_has_one_form(given: str, normal: str) -> None:
    assert check_origin(given) == normal
    assert check_origin(normal) == normal


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "registry.example",
        "https://",
        "http://registry.example",
        "http://10.0.0.1",
        "https://registry.example/path",
        "https://registry.example?a",
        "https://user@registry.example",
        "https://*.registry.example",
        "https://registry.example:0",
        "https://登记.example",
        "javascript://registry.example",
    ],
)
def test_what_is_no_origin_cannot_be_registered(origin: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_origin(origin)
    assert refused.value.code == "return_origin_invalid"


@pytest.mark.parametrize("rest", ["", "/", "/filings/7?step=2#top", "?a=b"])
@pytest.mark.parametrize("origin", ORIGINS)
def test_a_link_leads_to_a_registered_origin(origin: str, rest: str) -> None:
    assert check_return_url(origin + rest, origins=ORIGINS) == origin + rest


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/",
        "http://registry.example/",
        "https://registry.example.evil.example/",
        "https://registry.example@evil.example/",
        "https://registry.example:8443/",
        "https://registry.example\\@evil.example/",
        "https://registry.example#x",
        "https://registry.example/\n",
        "https://registry.example/a b",
        "https://registry.example/登记",
        "https://registry.example/" + "x" * 1000,
        "//registry.example/",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_link_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_return_url(url, origins=ORIGINS)
    assert refused.value.code == "return_url_refused"


@given(url=st.text())
def test_without_an_origin_no_link_is_good(url: str) -> None:
    with pytest.raises(Invalid):
        check_return_url(url, origins=())
