"""A local certificate authority: a phone on the local network needs HTTPS, as browsers open no camera without it."""

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import trustme
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from api.errors import CertificateError
from models.fetch import make_private, write_atomically

AUTHORITY_NAME = "heyan local"

CERTIFICATE_LIFE = timedelta(days=397)
"""Apple's platforms refuse server certificates that are valid for longer (825 days for authorities of the user)."""

CLOCK_TOLERANCE = timedelta(days=1)
"""Phones whose clock is behind must not find a certificate that is not valid yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """Files that a TLS server reads, and the names that they stand for."""

    authority: Path
    certificate: Path
    key: Path
    names: tuple[str, ...]


def server_certificate(*, folder: Path, names: Iterable[str], now: datetime) -> ServerCertificate:
    """Issue a certificate for `names` under the authority in `folder`, which is made on first use (keys 0600).

    `now` is timezone-aware. The authority stays the same, so that a phone trusts it once; the certificate is renewed at
    each start, because addresses change.

    Raises:
        CertificateError: `certificate_damaged` for an authority that cannot be read. OSError.
    """
    make_private(folder)
    authority = _authority(folder)
    distinct = tuple(dict.fromkeys(names))
    issued = authority.issue_cert(
        *distinct, common_name=distinct[0], not_before=now - CLOCK_TOLERANCE, not_after=now + CERTIFICATE_LIFE
    )
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    write_atomically(folder / "server.key", issued.private_key_pem.bytes())
    write_atomically(folder / "server.pem", chain)
    return ServerCertificate(
        authority=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server.key", names=distinct
    )


def check_authority(folder: Path) -> bool:
    """Whether an authority is there, which `server_certificate` would take. Raises CertificateError, OSError."""
    certificate, key = folder / "ca.pem", folder / "ca.key"
    there = certificate.exists() and key.exists()
    if there:
        _read_authority(certificate, key)
    return there


def local_names() -> tuple[str, ...]:
    """`localhost`, this machine's name, and its IPv4 addresses on the local network, the likeliest address first."""
    return (*lan_addresses(), "localhost", "127.0.0.1", "::1", socket.gethostname())


def lan_addresses() -> tuple[str, ...]:
    """IPv4 addresses of interfaces that are up, private ones first; loopback and link-local ones left out."""
    states = psutil.net_if_stats()
    found = [
        ipaddress.IPv4Address(address.address)
        for interface, addresses in psutil.net_if_addrs().items()
        if states[interface].isup
        for address in addresses
        if address.family == socket.AF_INET
    ]
    usable = [address for address in found if not (address.is_loopback or address.is_link_local)]
    return tuple(str(address) for address in sorted(usable, key=lambda address: (not address.is_private, address)))


def trusting_context(authority: Path) -> ssl.SSLContext:
    """A client's TLS context that trusts the local authority only."""
    return ssl.create_default_context(cafile=str(authority))


def _authority(folder: Path) -> trustme.CA:
    certificate, key = folder / "ca.pem", folder / "ca.key"
    if certificate.exists() and key.exists():
        return _read_authority(certificate, key)
    made = trustme.CA(organization_name=AUTHORITY_NAME)
    write_atomically(key, made.private_key_pem.bytes())
    write_atomically(certificate, made.cert_pem.bytes())
    return made


def _read_authority(certificate: Path, key: Path) -> trustme.CA:
    """A certificate and its own key, in PEM."""
    pem, private = certificate.read_bytes(), key.read_bytes()
    try:
        signs = load_pem_private_key(private, password=None).public_key()
        if x509.load_pem_x509_certificate(pem).public_key() == signs:
            return trustme.CA.from_pem(pem, private)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: a key behind a password
        pass
    raise CertificateError(certificate, key)
