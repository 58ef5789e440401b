"""A data directory as the first start of a service leaves it, without starting one."""

import asyncio
from pathlib import Path

from api.composition import begun_keys, begun_store
from api.settings import Settings


def begun(data_dir: Path) -> Path:
    """The directory, with keys and an embedded store that belong together."""
    asyncio.run(begin(Settings(data_dir=data_dir)))
    return data_dir


async def begin(settings: Settings) -> None:
    """What `heyan serve` makes where nothing is."""
    async with begun_store(settings) as store:
        await begun_keys(settings, store)
