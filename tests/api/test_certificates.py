import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from api.certificates import lan_addresses, local_names, server_certificate, trusting_context
from api.errors import CertificateError

NOW = datetime.now(UTC)


def _serve_once(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with context.wrap_socket(connection, server_side=True) as secured:
        secured.sendall(b"hello")


def test_a_client_that_trusts_the_authority_accepts_the_certificate(tmp_path: Path) -> None:
    made = server_certificate(folder=tmp_path / "tls", names=["localhost", "127.0.0.1"], now=NOW)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_serve_once, args=(listener, context))
        server.start()
        with (
            socket.create_connection(listener.getsockname()) as plain,
            trusting_context(made.authority).wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            assert secured.recv(5) == b"hello"
        server.join()


def test_the_authority_stays_and_the_certificate_is_renewed(tmp_path: Path) -> None:
    first = server_certificate(folder=tmp_path, names=["localhost"], now=NOW)
    authority, certificate = first.authority.read_bytes(), first.certificate.read_bytes()
    second = server_certificate(folder=tmp_path, names=["localhost", "192.0.2.7"], now=NOW)
    assert second.authority.read_bytes() == authority
    assert second.certificate.read_bytes() != certificate


def test_names_and_life_of_the_certificate(tmp_path: Path) -> None:
    made = server_certificate(folder=tmp_path, names=["localhost", "192.0.2.7", "localhost"], now=NOW)
    leaf = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["localhost", "192.0.2.7"]
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days <= 398
    assert leaf.not_valid_before_utc < NOW < leaf.not_valid_after_utc


def test_keys_are_private(tmp_path: Path) -> None:
    server_certificate(folder=tmp_path / "tls", names=["localhost"], now=NOW)
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    for name in ("ca.key", "server.key"):
        assert (tmp_path / "tls" / name).stat().st_mode & 0o777 == 0o600


def test_a_key_that_cannot_be_put_in_its_place_is_left_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "server.key").mkdir()
    with pytest.raises(OSError, match=r"server\.key"):
        server_certificate(folder=tmp_path, names=["localhost"], now=NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.key", "ca.pem", "server.key"]


def test_local_names_hold_localhost_and_no_loopback_is_called_lan() -> None:
    assert {"localhost", "127.0.0.1"} <= set(local_names())
    assert not any(address.startswith("127.") for address in lan_addresses())


@pytest.mark.parametrize("damaged", ["ca.pem", "ca.key"])
@pytest.mark.parametrize("content", [b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_authority_is_named_and_left_alone(tmp_path: Path, damaged: str, content: bytes) -> None:
    server_certificate(folder=tmp_path, names=["localhost"], now=NOW)
    (tmp_path / damaged).write_bytes(content)
    with pytest.raises(CertificateError, match=r"ca\.pem and .*ca\.key") as raised:
        server_certificate(folder=tmp_path, names=["localhost"], now=NOW)
    assert raised.value.code == "certificate_damaged"
    assert (tmp_path / damaged).read_bytes() == content


def test_an_authority_with_the_key_of_another_signs_nothing(tmp_path: Path) -> None:
    for name in ("one", "other"):
        server_certificate(folder=tmp_path / name, names=["localhost"], now=NOW)
    (tmp_path / "other" / "ca.key").replace(tmp_path / "one" / "ca.key")
    with pytest.raises(CertificateError):
        server_certificate(folder=tmp_path / "one", names=["localhost"], now=NOW)
