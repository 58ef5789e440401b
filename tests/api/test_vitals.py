"""What a scrape looks up: readiness, store, disk, ages of keys, ends of certificates."""

import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families
from running_service import RunningApi, registrant

from api import vitals
from api.settings import Settings


async def scraped(api: RunningApi) -> dict[tuple[str, ...], float]:
    """Samples by name and values of labels."""
    text = (await api.http.get("/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


async def test_a_good_service_says_so(api: RunningApi) -> None:
    seen = await scraped(api)
    assert seen["heyan_ready",] == 1
    assert seen["heyan_check_ok", "durability"] == 1
    assert 0 < seen["heyan_store_seconds",] < vitals.PATIENCE_SECONDS
    assert seen["heyan_disk_free_bytes",] > 0


async def test_the_last_round_and_the_newest_checkpoint_are_told(
    embedded_api: RunningApi, portraits: dict[str, bytes]
) -> None:
    began = time()
    assert (await scraped(embedded_api))["heyan_checkpoint_timestamp_seconds",] == 0
    await embedded_api.desk.open(registrant(portraits["person_a_1"]))
    await embedded_api.services.sequencer.round()
    seen = await scraped(embedded_api)
    assert seen["heyan_checkpoint_timestamp_seconds",] >= int(began)
    assert min(seen["heyan_round_timestamp_seconds", work] for work in ("retention", "checkpoints")) >= began


async def test_a_draining_service_is_not_ready(api: RunningApi) -> None:
    api.services.live.admission.draining = True
    seen = await scraped(api)
    assert (seen["heyan_ready",], seen["heyan_check_ok", "accepting"], seen["heyan_check_ok", "store"]) == (0, 0, 1)


async def test_a_store_that_says_nothing_is_not_waited_for(
    embedded_api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vitals, "PATIENCE_SECONDS", 0.3)
    server = embedded_api.services.store._embedded._server
    os.kill(server.pid, signal.SIGSTOP)
    try:
        seen = await scraped(embedded_api)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert (seen["heyan_ready",], seen["heyan_check_ok", "store"]) == (0, 0)
    assert 0.3 <= seen["heyan_store_seconds",] < 2


async def test_a_data_directory_that_is_gone_has_no_free_space(api: RunningApi) -> None:
    assert (await scraped(api))["heyan_disk_free_bytes",] > 0
    shutil.rmtree(api.services.settings.data_dir)
    assert (await scraped(api))["heyan_disk_free_bytes",] == 0


async def test_the_age_of_a_key_begins_anew_when_another_signs(embedded_api: RunningApi) -> None:
    ring = embedded_api.services.tokens.rings["live"]
    assert 0 <= (await scraped(embedded_api))["heyan_signing_key_age_seconds", "live"] < 600
    ring.rotate(now=time() - 7200, at_once=True)
    assert 7200 <= (await scraped(embedded_api))["heyan_signing_key_age_seconds", "live"] < 7300


async def test_a_ring_that_is_gone_has_no_age(embedded_api: RunningApi, tmp_path: Path) -> None:
    await scraped(embedded_api)
    ring = embedded_api.services.tokens.rings["test"]
    ring._path = tmp_path / "gone.ring"
    assert ("heyan_signing_key_age_seconds", "test") not in await scraped(embedded_api)
    assert ("heyan_signing_key_age_seconds", "test") not in await scraped(embedded_api)


def test_the_end_of_a_certificate_is_told_and_a_missing_one_has_ended(api: RunningApi, tmp_path: Path) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
    issued = trustme.CA().issue_cert("here.example", not_after=end)
    issued.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
    registry = api.services.metrics.registry
    for path, told in ((tmp_path / "own.pem", end.timestamp()), (tmp_path / "gone.pem", 0.0)):
        settings = Settings(
            authority_url="https://photos.example",
            authority_ca=path,
            authority_certificate=path,
            authority_key=path,
        )
        vitals._note_certificates(settings, api.services.metrics)
        sample = registry.get_sample_value("heyan_certificate_expiry_timestamp_seconds", {"certificate": "authority"})
        assert sample == told
