"""What an operator is told of a store that cannot be used, and that no password is told with it."""

import asyncio
from collections.abc import Iterator
from socket import create_server
from urllib.parse import urlsplit

import pytest

from benchmarks.store_servers import running_server
from verify.connection import connect
from verify.errors import StoreUnavailable
from verify.store_address import check_address, connect_to
from verify.store_faults import fault_of, place_of

SECRET = "hunter2"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a server with this password."""
    with running_server(tmp_path_factory.mktemp("server"), requirepass=SECRET) as server:
        yield place_of(server.url)


async def told_of(url: str) -> str:
    connection = connect_to(url)
    try:
        with pytest.raises(StoreUnavailable) as raised:
            await connection.ask("PING")
    finally:
        await connection.close()
    return str(fault_of(raised.value, url=url, password="HEYAN_STORE_PASSWORD"))


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("redis://:hunter3@{place}/0", "the password was refused, or the user (HEYAN_STORE_PASSWORD)"),
        ("redis+cluster://:hunter3@{place}", "the password was refused"),
        ("redis://{place}/0", "it asks for a password"),
        ("redis://:hunter2@{place}/99", "no database of that number"),
        ("rediss://:hunter2@{place}/0", "rediss:// is for a port with TLS"),
        ("redis+cluster://:hunter2@{place}", "it is no cluster"),
        ("redis+sentinel://:hunter2@{place}/heyan", "no sentinel there"),
    ],
)
async def test_it_is_said_which_setting_to_mend(place: str, address: str, told: str) -> None:
    fault = await told_of(address.format(place=place))
    assert fault.startswith(f"HEYAN_STORE_URL {place}: ")
    assert told in fault
    assert "hunter" not in fault


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("redis://:hunter2@127.0.0.1:{free}", "nothing listens there"),
        ("redis+cluster://:hunter2@127.0.0.1:{free}", "nothing listens there"),
        ("redis://:hunter2@nowhere.invalid:6379", "no host is known by that name"),
        ("unix:///nowhere/valkey.sock", "is not there"),
    ],
)
async def test_a_place_where_no_store_is(address: str, told: str) -> None:
    with create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    fault = await told_of(address.format(free=free))
    assert told in fault
    assert "hunter" not in fault


async def test_a_server_that_ends_every_connection_may_want_tls() -> None:
    async def ended(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(ended, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert "needs rediss://" in await told_of(f"redis://127.0.0.1:{port}")


async def test_a_server_that_says_nothing_does_not_answer() -> None:
    with create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        connection = connect(url, answer_seconds=0.1)
        with pytest.raises(StoreUnavailable) as raised:
            await connection.ask("PING")
        await connection.close()
    assert "does not answer in time" in str(fault_of(raised.value, url=url, password=""))


def test_what_has_nothing_to_do_with_the_connection_is_left_as_it_is() -> None:
    assert fault_of(StoreUnavailable("confirmed by no disk"), url="redis://one", password="") is None


@pytest.mark.parametrize(
    "address",
    [
        "redis://one",
        "redis://:a%2Fb@one:1/2?health_check_interval=3",
        "rediss://clerk:a%40b@[::1]:6380/0?ssl_ca_certs=/etc/ca.pem",
        "redis+cluster://:a@one:6379/0",
        "unix:///run/valkey.sock?db=1",
    ],
)
def test_good_addresses_are_taken(address: str) -> None:
    check_address(address)
    assert place_of(address) in {urlsplit(address).netloc.rpartition("@")[2], "/run/valkey.sock"}
