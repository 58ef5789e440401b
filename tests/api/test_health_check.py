"""The image's health check asks where the settings say that the service listens, and finds what does not answer."""

from pathlib import Path

import pytest

from api.health_check import address, check
from benchmarks.service import running_service
from benchmarks.store_servers import free_port


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, "http://127.0.0.1:8420/healthz"),
        ({"HEYAN_HOST": "0.0.0.0", "HEYAN_PORT": ""}, "http://127.0.0.1:8420/healthz"),  # noqa: S104
        ({"HEYAN_HOST": "::", "HEYAN_PORT": "9000"}, "http://[::1]:9000/healthz"),
        ({"HEYAN_HOST": "172.17.0.2", "HEYAN_TLS": "false"}, "http://172.17.0.2:8420/healthz"),
        ({"HEYAN_HOST": "", "HEYAN_TLS": "True"}, "https://127.0.0.1:8420/healthz"),
        ({"HEYAN_TLS": "1"}, "https://127.0.0.1:8420/healthz"),
    ],
)
def test_it_follows_the_settings(environment: dict[str, str], asked: str) -> None:
    assert address(environment) == asked


@pytest.mark.parametrize("tls", ["false", "true"])
def test_a_service_that_answers_is_well(tmp_path: Path, tls: str) -> None:
    with running_service(tmp_path / "data", tls=tls) as service:
        port = service.url.rsplit(":", 1)[1]
        settings = {"HEYAN_PORT": port, "HEYAN_TLS": tls, "HEYAN_DATA_DIR": str(tmp_path / "data")}
        check(settings)
        with pytest.raises(OSError, match=r"."):
            check({**settings, "HEYAN_TLS": "true" if tls == "false" else "false"})


def test_nobody_who_answers_is_not_well() -> None:
    with pytest.raises(OSError, match="refused"):
        check({"HEYAN_PORT": str(free_port())})
