from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from running_service import RunningApi, running_api

from api.settings import Settings
from models.engine import Engine


@pytest.fixture
async def api(engine: Engine, tmp_path: Path) -> AsyncIterator[RunningApi]:
    """A service with a store of its own."""
    async with running_api(Settings(data_dir=tmp_path, port=0, workers=1), engine) as running:
        yield running
