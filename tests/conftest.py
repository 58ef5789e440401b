"""Fixtures for all tests: prepared weights, credited portraits, and data that only some machines have."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from browser_phone import chromium
from hypothesis import HealthCheck, settings
from playwright.async_api import Browser

from benchmarks.photos import load_portraits
from models.engine import Engine
from models.errors import ModelError
from models.prepare import default_data_dir

UNHURRIED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
"""How long an example takes says something of the machine, and nothing of the code."""

settings.register_profile("unhurried", **UNHURRIED)
settings.register_profile("thorough", **UNHURRIED)
"""`pytest --hypothesis-profile=thorough`: tests that can look at more do so."""
settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=["embedded", "cluster"], default="embedded", help="what tests/verify run on")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Where `heyan models prepare` has put the weights."""
    return default_data_dir()


@pytest.fixture(scope="session")
def engine(data_dir: Path) -> Engine:
    """The models of the default pack on one thread."""
    try:
        return Engine.open(data_dir=data_dir)
    except ModelError as error:
        pytest.fail(f"the weights are not ready ({error.code}): run `heyan models prepare`, or `make test`")


@pytest.fixture(scope="session")
def portraits(data_dir: Path) -> dict[str, bytes]:
    """Six credited portraits by name: two people with two photos each, two impostors."""
    return load_portraits(data_dir)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Data that cannot be part of the project."""
    folder = os.environ.get("HEYAN_SHARED")
    if not folder:
        pytest.skip("set HEYAN_SHARED to a folder with the shared test data")
    return Path(folder)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium of its own."""
    async with chromium() as running:
        yield running
