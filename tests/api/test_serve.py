"""The service as a process: what it prints, TLS on the local network, and how it stops."""

import signal
import socket
from pathlib import Path

import httpx
import pytest

from api.certificates import trusting_context
from api.errors import ListeningError
from api.serve import bound, listening
from api.settings import Settings
from benchmarks.service import running_service


def test_it_stops_on_a_signal_and_leaves_no_store_behind(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service:
        assert httpx.get(f"{service.url}/readyz").json()["ready"]
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


def _printed(stream: object) -> str:
    """The rest of the announcement; it ends with how to trust the certificate."""
    lines = []
    for line in stream:
        lines.append(line)
        if "--cacert" in line:
            break
    return "".join(lines)
