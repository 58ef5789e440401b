"""nginx as shipped before two real replicas: TLS, WebSockets, what stays inside, and a replica that dies."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from time import monotonic, sleep
from typing import ClassVar
from urllib.parse import urlsplit

import httpx
import pytest
import trustme
from running_service import registrant
from websockets.asyncio.client import connect

from api.certificates import trusting_context
from benchmarks.phone.online import PROTOCOL, Phone
from benchmarks.registration import Registration
from benchmarks.service import Service, running_service

ROOT = Path(__file__).parents[2]
NGINX = shutil.which("nginx")


@dataclass(frozen=True)
class Front:
    """The proxy, and the replicas behind it."""

    url: str
    authority: Path
    replicas: tuple[Service, Service]

    def client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.replicas[0].api_key}"}
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, verify=trusting_context(self.authority), timeout=20
        )


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not in pytest's private directories: nginx' workers, who are somebody else under root, must enter it."""
    if NGINX is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    folder = Path(tempfile.mkdtemp(prefix="heyan-proxy-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def front(folder: Path) -> Iterator[Front]:
    port = free_port()
    with (
        running_service(folder / "data", trusted_proxies="127.0.0.1") as one,
        running_service(folder / "data", trusted_proxies="127.0.0.1") as two,
        running_nginx(folder / "proxy", port, one.url, two.url) as authority,
    ):
        yield Front(f"https://localhost:{port}", authority, (one, two))


@contextmanager
def running_nginx(folder: Path, port: int, *replicas: str, **directives: str) -> Iterator[Path]:
    """The shipped files with other addresses, a certificate, and other values of some directives that they hold; gives
    the certificate authority."""
    (folder / "tls").mkdir(parents=True)
    (folder / "run").mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(folder / "tls" / "server.key")
    issued.cert_chain_pems[0].write_to_path(folder / "tls" / "server.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    shipped = ROOT / "deploy" / "nginx"
    configuration = (shipped / "nginx.conf").read_text().replace("listen 8443", f"listen {port}")
    for name, value in directives.items():
        configuration, found = re.subn(rf"\b{name} [^;]+;", f"{name} {value};", configuration)
        assert found == 1, name
    (folder / "nginx.conf").write_text(configuration)
    upstream = (shipped / "upstream.conf").read_text()
    for number, replica in enumerate(replicas, 1):
        upstream = upstream.replace(f"heyan-{number}:8420", replica.removeprefix("http://"))
    (folder / "upstream.conf").write_text(upstream)
    command = [NGINX, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        await_listening(port, process, folder / "log")
        yield folder / "ca.pem"
    finally:
        process.terminate()
        process.wait(timeout=10)


def await_listening(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = monotonic() + 20
    while monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text()
        sleep(0.05)
    raise AssertionError("nginx does not listen")


async def test_the_way_through_the_proxy(front: Front, portraits: dict[str, bytes]) -> None:
    async with front.client() as http:
        await what_is_for_operators_stays_inside(http)
        desk = Registration(http)
        filing = await desk.open(registrant(portraits["person_a_1"]))  # its photo is more than nginx keeps in memory
        phone = Phone(http=http, actor=None, rng=Random(1))
        attempt = await phone.open(await phone.agree(await desk.invite(filing, filing.subjects[0])))
        stream = front.url.replace("https", "wss") + urlsplit(attempt.stream).path
        first = await asked(front, stream, {"type": "claim", "secret": attempt.secret})
        assert first["type"] == "claimed"
        (stays,) = [replica for replica in front.replicas if claims(replica)]
        again = await asked(front, stream, {"type": "resume", "secret": first["resume_secret"]})
        assert again["type"] != "problem"

        stays.process.kill()
        stays.process.wait()
        for _ in range(10):
            assert (await desk.state(filing))["id"] == filing.id
        assert (await desk.open(registrant(portraits["person_a_1"], id_number="E7654321"))).id != filing.id


async def asked(front: Front, stream: str, message: dict[str, str]) -> dict[str, str]:
    """The first answer on a WebSocket of its own, which then drops."""
    context = trusting_context(front.authority)
    async with connect(stream, subprotocols=[PROTOCOL], ssl=context, proxy=None) as socket:
        await socket.send(json.dumps(message))
        answer: dict[str, str] = json.loads(await socket.recv())
        return answer


def claims(replica: Service) -> float:
    """Sessions that were claimed on a replica, by its own port; a place alone may be promised on another one."""
    text = httpx.get(f"{replica.url}/metrics").text
    counted = 'heyan_stage_seconds_count{stage="claim"} '
    return sum(float(line.removeprefix(counted)) for line in text.splitlines() if line.startswith(counted))


async def what_is_for_operators_stays_inside(http: httpx.AsyncClient) -> None:
    for path in ("/metrics", "/readyz", "/ops", "/ops/live"):
        assert (await http.get(path)).status_code == 404, path
    assert (await http.get("/healthz")).headers["strict-transport-security"].startswith("max-age=")


class Recorder(BaseHTTPRequestHandler):
    """In a replica's place: keeps the headers that come through."""

    seen: ClassVar[list[Message]] = []

    def do_GET(self) -> None:
        self.seen.append(self.headers)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_nobody_says_for_themselves_where_they_come_from(folder: Path) -> None:
    claimed = {"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Proto": "http"}
    port = free_port()
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as replica:
        Thread(target=replica.serve_forever).start()
        url = f"http://127.0.0.1:{replica.server_port}"
        try:
            with running_nginx(folder / "proxy", port, url, url) as authority:
                context = trusting_context(authority)
                answer = httpx.get(f"https://localhost:{port}/", headers=claimed, verify=context)
        finally:
            replica.shutdown()
    (headers,) = Recorder.seen
    assert answer.status_code == 204
    assert headers.get_all("X-Forwarded-For") == ["127.0.0.1"]
    assert headers.get_all("X-Forwarded-Proto") == ["https"]
    assert headers["Host"] == f"localhost:{port}"


def shipped_number(directive: str) -> int:
    """The number in what follows a directive's name in the shipped file."""
    configuration = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    (number,) = re.findall(rf"\b{directive} (\d+)s?;", configuration)
    return int(number)


UNFINISHED = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n"
"""The head of a request whose body does not come."""
NOWHERE = "http://127.0.0.1:9"
"""For replicas that are not asked: nginx answers by itself."""


async def test_one_address_has_so_many_connections(folder: Path) -> None:
    assert 50 <= shipped_number("limit_conn addresses") <= 1000
    port = free_port()
    with running_nginx(folder / "proxy", port, NOWHERE, NOWHERE, limit_conn="addresses 3") as authority:
        context = trusting_context(authority)
        held = [await asyncio.open_connection("localhost", port, ssl=context) for _ in range(4)]
        for _, writer in held:  # begun and not ended: nginx counts a connection while a request of its is under way
            writer.write(UNFINISHED)
            await writer.drain()
        lines = [asyncio.create_task(reader.readline()) for reader, _ in held]
        answered, waiting_still = await asyncio.wait(lines, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result()[:12] for task in answered] == [b"HTTP/1.1 429"]
        assert len(waiting_still) == 3
        for task in waiting_still:
            task.cancel()
        for _, writer in held:
            writer.close()


async def test_who_is_slow_is_cut_off(folder: Path) -> None:
    """A head that goes on and on, a byte at a time, and a body that does not come."""
    assert (shipped_number("client_header_timeout"), shipped_number("client_body_timeout")) == (10, 20)
    port = free_port()
    timeouts = {"client_header_timeout": "1s", "client_body_timeout": "1s"}
    with running_nginx(folder / "proxy", port, NOWHERE, NOWHERE, **timeouts) as authority:
        context = trusting_context(authority)
        endless, silent = [await asyncio.open_connection("localhost", port, ssl=context) for _ in range(2)]
        silent[1].write(UNFINISHED)
        began = monotonic()
        dribbling = asyncio.create_task(dribble(endless[1]))
        async with asyncio.timeout(15):
            answers = await asyncio.gather(endless[0].read(), silent[0].read())
        assert monotonic() - began >= 0.9  # not for anything in what was sent
        assert all(answer == b"" or answer.startswith(b"HTTP/1.1 408") for answer in answers), answers
        dribbling.cancel()
        for _, writer in (endless, silent):
            writer.close()


async def dribble(writer: asyncio.StreamWriter) -> None:
    """A request's head without an end."""
    writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.2)
