import asyncio
import ssl

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from receiver import receiving

from api.addresses import is_public
from api.outbound import Outbound, resolve
from verify.errors import Invalid

INSIDE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",  # noqa: S104 - an address that must be refused
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fec0::1",
    "::10.0.0.1",
    "::8.8.8.8",
    "::ffff:0:10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
]

NOWHERE = [
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104 - an address that must be refused
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fe80::1%2",
    "fec0::1",
    "ff02::1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::ffff:224.0.0.1",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "2001:0:808:808:0:0:5601:5601",
]

PRIVATE = ["127.0.0.1", "10.1.2.3", "100.64.0.1", "::1", "fd00::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "8.8.8.8"]


def resolving(*addresses: str) -> object:
    async def found(_: str, __: int) -> tuple[str, ...]:
        return addresses

    return found


@pytest.mark.parametrize("address", INSIDE)
async def test_addresses_inside_are_refused_when_registered_and_when_sent_to(address: str) -> None:
    assert not is_public(address)
    outbound = Outbound(resolve=resolving("203.0.114.1", address))
    with pytest.raises(Invalid) as refusal:
        await outbound.check("https://registry.example/")
    assert refusal.value.code == "webhook_url_refused"
    assert (await outbound.post("https://registry.example/", headers={}, body=b"")).error == "refused"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
async def test_public_addresses_are_fine(address: str) -> None:
    outbound = Outbound(resolve=resolving(address))
    assert await outbound.check("https://registry.example:8443/a?b=c")


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_no_private_address_becomes_public_in_the_clothes_of_version_6(address: object) -> None:
    assert not is_public(f"::ffff:{address}")
    assert not is_public(f"64:ff9b::{address}")
    assert not is_public(f"::{address}")
    assert not is_public(f"::ffff:0:{address}")


@pytest.mark.parametrize(
    "url",
    [
        "http://registry.example/",
        "ftp://registry.example/",
        "https://",
        "https:///path",
        "https://user:password@registry.example/",
        "https://registry.example/#fragment",
        "https://registry.example:0/",
        "https://registry.example:99999/",
        "https://registry.example/ space",
        "https://registry.example/\r\nX: y",
        "https://登记.example/",
        "https://registry.example/" + "x" * 2000,
    ],
)
async def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await Outbound(resolve=resolving("8.8.8.8")).check(url)
    assert refusal.value.code == "webhook_url_invalid"


async def test_a_host_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        await Outbound(resolve=resolving()).check("https://registry.example/")
    assert refusal.value.code == "webhook_url_refused"


async def test_plain_http_is_for_loopback_alone_if_the_operator_allows_it() -> None:
    assert await Outbound(allow_private=True).check("http://127.0.0.1:9/")
    with pytest.raises(Invalid):
        await Outbound().check("http://127.0.0.1:9/")
    with pytest.raises(Invalid):
        await Outbound(allow_private=True, resolve=resolving("10.0.0.1")).check("http://intranet/")


@pytest.mark.parametrize("address", NOWHERE)
async def test_some_addresses_no_operator_can_allow_in_whatever_clothes(address: str) -> None:
    outbound = Outbound(allow_private=True, resolve=resolving(address))
    with pytest.raises(Invalid) as refusal:
        await outbound.check("https://metadata.example/")
    assert refusal.value.code == "webhook_url_refused"
    assert (await outbound.post("https://metadata.example/", headers={}, body=b"")).error == "refused"


@pytest.mark.parametrize("address", PRIVATE)
async def test_an_operator_can_allow_private_addresses(address: str) -> None:
    assert await Outbound(allow_private=True, resolve=resolving(address)).check("https://intranet.example/")


async def test_the_resolver_of_the_machine_is_asked() -> None:
    assert "127.0.0.1" in await resolve("localhost", 443)
    assert await resolve("nobody.invalid", 443) == ()


async def test_a_name_that_changes_between_check_and_use_is_judged_again() -> None:
    answers = iter([("8.8.8.8",), ("127.0.0.1",)])

    async def rebinding(_: str, __: int) -> tuple[str, ...]:
        return next(answers)

    outbound = Outbound(resolve=rebinding)
    await outbound.check("https://rebinding.example/")
    assert (await outbound.post("https://rebinding.example/", headers={}, body=b"")).error == "refused"


async def test_plain_http_goes_nowhere_else_once_its_name_leads_elsewhere() -> None:
    answers = iter([("127.0.0.1",), ("10.0.0.1",)])

    async def changing(_: str, __: int) -> tuple[str, ...]:
        return next(answers)

    outbound = Outbound(allow_private=True, resolve=changing)
    await outbound.check("http://here.example/")
    assert (await outbound.post("http://here.example/", headers={}, body=b"")).error == "refused"


async def test_a_name_that_is_not_resolved_in_time_is_not_waited_for() -> None:
    async def silent(_: str, __: int) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    outbound = Outbound(resolve=silent, seconds=0.05)
    assert (await outbound.post("https://registry.example/", headers={}, body=b"")).error == "timeout"
    with pytest.raises(Invalid) as refusal:
        await outbound.check("https://registry.example/")
    assert refusal.value.code == "webhook_url_refused"


async def test_the_connection_goes_to_the_address_that_was_judged_under_the_name_that_was_asked() -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("registry.example")
    serving, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    certificate.configure_cert(serving)
    authority.configure_trust(trusting)
    async with receiving(serving) as receiver:
        outbound = Outbound(allow_private=True, resolve=resolving("127.0.0.1"), tls=trusting)
        url = f"https://registry.example:{receiver.port}/hook?a=b"
        assert (await outbound.post(url, headers={"x-a": "b"}, body=b"{}")).status == 204
        other = f"https://another.example:{receiver.port}/hook"
        assert (await outbound.post(other, headers={}, body=b"{}")).error == "unreachable"
    (received,) = receiver.received
    assert (received.path, received.body, received.headers["x-a"]) == ("/hook?a=b", b"{}", "b")
    assert received.headers["host"] == f"registry.example:{receiver.port}"


async def test_a_second_address_is_tried_when_the_first_takes_no_connection() -> None:
    async with receiving() as receiver:
        outbound = Outbound(allow_private=True, resolve=resolving("127.0.0.2", "127.0.0.1"))
        answered = await outbound.post(f"http://registry.example:{receiver.port}/", headers={}, body=b"")
    assert answered.status == 204


async def test_redirects_are_answers_not_directions() -> None:
    async with receiving() as inside, receiving() as receiver:
        receiver.status, receiver.headers = 307, {"location": inside.url}
        answered = await Outbound(allow_private=True).post(receiver.url, headers={}, body=b"")
    assert answered.status == 307
    assert inside.received == []


@pytest.mark.parametrize(("value", "seconds"), [("17", 17.0), ("soon", None), ("-5", None), ("٣", None)])
async def test_retry_after_is_read_if_it_is_a_number(value: str, seconds: float | None) -> None:
    async with receiving() as receiver:
        receiver.status, receiver.headers = 503, {"retry-after": value}
        answered = await Outbound(allow_private=True).post(receiver.url, headers={}, body=b"")
    assert (answered.status, answered.retry_after) == (503, seconds)


async def test_nobody_there_is_unreachable() -> None:
    async with receiving() as receiver:
        url = receiver.url
    assert (await Outbound(allow_private=True).post(url, headers={}, body=b"")).error == "unreachable"
