"""The service as a process: what it prints, TLS on the local network, and how it stops."""

import gc
import signal
import socket
import weakref
from pathlib import Path
from time import sleep
from typing import Any

import httpx
import pytest

from api.certificates import trusting_context
from api.errors import ListeningError
from api.serve import bound, leave_alone_what_stays, listening, server_config
from api.settings import Settings
from benchmarks.service import running_service


def test_it_stops_on_a_signal_and_leaves_no_store_behind(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service:
        assert httpx.get(f"{service.url}/readyz").json()["ready"]
        sleep(0.3)
        assert 'heyan_stage_seconds_count{stage="loop_lag"}' in httpx.get(f"{service.url}/metrics").text
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=10) == 0
    assert not (tmp_path / "data" / "store" / "valkey.sock").exists()
    assert "Traceback" not in service.log.read_text("utf-8")


def test_a_service_that_was_killed_finds_its_store_again(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service:
        key = service.api_key
        service.process.kill()
        service.process.wait()
    with running_service(tmp_path / "data") as again:
        assert again.api_key == key
        assert httpx.get(f"{again.url}/readyz").json()["ready"]


def test_with_tls_phones_of_the_local_network_can_trust_it(tmp_path: Path) -> None:
    with running_service(tmp_path / "data", tls="true") as service:
        assert service.url.startswith("https://")
        context = trusting_context(tmp_path / "data" / "tls" / "ca.pem")
        port = service.url.rsplit(":", 1)[1]
        assert httpx.get(f"{service.url}/healthz", verify=context).json() == {"status": "ok"}
        assert httpx.get(f"https://localhost:{port}/ca.crt", verify=context).text.startswith("-----BEGIN CERTIFICATE")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{service.url}/healthz")
        drawn = _printed(service.process.stdout)
    assert "▀" in drawn or "▄" in drawn
    assert "ca.pem" in drawn


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(data_dir=tmp_path, port=taken.getsockname()[1])
        with pytest.raises(ListeningError, match="HEYAN_PORT"):
            bound(settings)


def test_the_public_address_wins(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, public_url="https://verify.example/")
    assert listening(settings, port=1).url == "https://verify.example"


def test_an_ipv6_address_is_written_as_urls_want_it(tmp_path: Path) -> None:
    assert listening(Settings(data_dir=tmp_path, host="::1"), port=7).url == "http://[::1]:7"


@pytest.mark.parametrize(
    ("trusted", "seen"), [(None, "10.0.0.9"), ("192.0.2.1", "10.0.0.9"), ("192.0.2.1, 10.0.0.0/8", "203.0.113.5")]
)
async def test_where_a_person_comes_from_only_a_trusted_proxy_may_say(
    tmp_path: Path, trusted: str | None, seen: str
) -> None:
    found: list[str] = []

    async def application(scope: Any, _: object, __: object) -> None:
        found.append(scope["client"][0])

    settings = Settings(data_dir=tmp_path, trusted_proxies=trusted)
    config = server_config(application, listening(settings, port=1), settings)
    config.load()
    headers = [(b"x-forwarded-for", b"203.0.113.5")]
    scope = {"type": "websocket", "scheme": "ws", "client": ("10.0.0.9", 1), "headers": headers}
    await config.loaded_app(scope, None, None)
    assert found == [seen]


def _printed(stream: object) -> str:
    """The rest of the announcement; it ends with how to trust the certificate."""
    lines = []
    for line in stream:
        lines.append(line)
        if "--cacert" in line:
            break
    return "".join(lines)


def test_what_was_loaded_is_not_gone_through_again_and_what_comes_later_is() -> None:
    class Later:
        """Refers to itself: only the collector takes it away."""

        def __init__(self) -> None:
            self.me = self

    leave_alone_what_stays()
    try:
        assert gc.get_freeze_count() > 0
        gone = weakref.ref(Later())
        gc.collect()
        assert gone() is None
    finally:
        gc.unfreeze()
