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
from typer.testing import CliRunner

from api.certificates import lan_addresses, trusting_context
from api.cli import app
from api.diagnosis import diagnose
from api.errors import ListeningError
from api.serve import bound, leave_alone_what_stays, listening, server_config
from api.settings import Settings, SettingsError, load_settings
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


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])  # noqa: S104 - what is tested
def test_no_link_leads_to_every_address_of_a_machine(tmp_path: Path, host: str) -> None:
    settings = Settings(data_dir=tmp_path, host=host)
    with pytest.raises(SettingsError, match="HEYAN_PUBLIC_URL") as caught:
        listening(settings, port=1)
    assert caught.value.code == "setting_invalid"
    named = settings.model_copy(update={"public_url": "https://verify.example"})
    assert listening(named, port=1).url == "https://verify.example"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1"])  # noqa: S104 - what is tested
def test_with_tls_every_address_means_the_local_network(tmp_path: Path, host: str) -> None:
    address = next(iter(lan_addresses()), "localhost")
    where = listening(Settings(data_dir=tmp_path, host=host, tls=True), port=7)
    assert where.url == f"https://{address}:7"
    assert where.certificate is not None
    assert address in where.certificate.names


def test_the_command_says_that_it_must_know_where_links_lead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", str(tmp_path))
    refused = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0", "--port", "0"])  # noqa: S104
    assert (refused.exit_code, "HEYAN_PUBLIC_URL is needed" in refused.stderr) == (2, True)
    findings = {each.check: each for each in diagnose(load_settings(host="0.0.0.0"))}  # noqa: S104
    assert (findings["links"].ok, "HEYAN_PUBLIC_URL is needed" in findings["links"].advice) == (False, True)


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
