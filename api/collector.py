"""Opens traces to the collector that the operator names; without one nothing of OpenTelemetry's SDK is loaded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.settings import Settings, SettingsError
from api.traces import OFF, Traces

EXTRA = "pip install 'heyan[traces]'"


@asynccontextmanager
async def open_traces(settings: Settings) -> AsyncIterator[Traces]:
    """Traces to the collector that the settings name, sent in the background; what is left is sent at the end.

    Raises:
        SettingsError: `setting_invalid` if they are wanted and their packages are not installed.
    """
    traces = _traces_to(settings.traces) if settings.traces else OFF
    try:
        yield traces
    finally:
        await asyncio.to_thread(traces.close)


def _traces_to(endpoint: str) -> Traces:
    try:
        from api.telemetry import Telemetry, exporter_to
    except ImportError as error:
        message = f"HEYAN_TRACES needs packages that are not installed ({error.name}): {EXTRA}, or leave it out"
        raise SettingsError("setting_invalid", message) from None
    return Telemetry(exporter_to(endpoint))
