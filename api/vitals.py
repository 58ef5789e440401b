"""What a scrape of `/metrics` looks up anew: readiness, times of store and checkpoint, disk, keys and certificates."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter, time

from cryptography.x509 import load_pem_x509_certificate

from api.composition import Services
from api.metrics import Metrics
from api.readiness import readiness
from api.settings import Settings
from verify.errors import Unavailable

PATIENCE_SECONDS = 5.0
"""A store that has said nothing by then counts as not ready: a scraper waits for ten seconds at the most."""


async def take_vitals(services: Services) -> None:
    """Set the gauges that describe this process now. Never raises: what cannot be read counts as not well."""
    metrics = services.metrics
    started = perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            checks = {check.name: check.ok for check in await readiness(services)}
            await _note_checkpoint(services)
    except TimeoutError:
        checks = {"store": False}
    metrics.store_seconds.set(perf_counter() - started)
    metrics.ready.set(all(checks.values()))
    metrics.checks.clear()
    for name, ok in checks.items():
        metrics.checks.labels(check=name).set(ok)
    _note_disk(services.settings, metrics)
    _note_keys(services, metrics, now=time())
    _note_certificates(services.settings, metrics)


async def _note_checkpoint(services: Services) -> None:
    """What cannot be read stays as old as it was."""
    with suppress(Unavailable):
        newest = await services.checkpoints.newest()
        services.metrics.checkpoint_time.set(newest.claims.iat if newest is not None else 0)


def _note_disk(settings: Settings, metrics: Metrics) -> None:
    """A data directory that is gone, or cannot be read, has no free space: nothing can be written there."""
    try:
        free = shutil.disk_usage(settings.data_dir).free
    except OSError:
        free = 0
    metrics.disk_free.set(free)


def _note_keys(services: Services, metrics: Metrics, *, now: float) -> None:
    """A ring that cannot be read has no age: an alert on its absence says so."""
    for purpose, ring in services.tokens.rings.items():
        try:
            metrics.key_age.labels(purpose=purpose).set(now - ring.signing_since(now=now))
        except (Unavailable, OSError):
            metrics.key_age.remove(purpose)


def _note_certificates(settings: Settings, metrics: Metrics) -> None:
    """One that cannot be read counts as ended."""
    for name, path in _certificates(settings):
        try:
            end = load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
        except (OSError, ValueError):
            end = 0.0
        metrics.certificate_end.labels(certificate=name).set(end)


def _certificates(settings: Settings) -> Iterator[tuple[str, Path]]:
    if settings.tls:
        yield "server", settings.data_dir / "tls" / "server.pem"
    if settings.authority_certificate is not None:
        yield "authority", settings.authority_certificate
