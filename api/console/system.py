"""What the console tells of the process itself: models in use, and settings that hold no secret."""

from collections.abc import Mapping

from api.settings import PREFIX, Settings
from models.engine import Engine
from models.manifest import ModelEntry

SHOWN = (
    "host",
    "port",
    "public_url",
    "tls",
    "durable_replicas",
    "issuer",
    "receipt_algorithm",
    "retention_days",
    "checkpoint_seconds",
    "pack",
    "engine",
    "ray_application",
    "ray_seconds",
    "provider",
    "threads",
    "workers",
    "queue",
    "live_sessions",
    "policy",
    "allow_client_upload",
    "authority_seconds",
    "authority_pause_seconds",
    "smtp_port",
    "smtp_tls",
    "delivery_seconds",
    "reminder_hours",
    "contact_per_hour",
    "contact_per_day",
    "max_body_bytes",
    "max_frame_bytes",
    "event_streams",
    "compare_per_minute",
    "webhook_private_addresses",
    "idempotency_wait_seconds",
    "resume_seconds",
    "drain_seconds",
    "log_level",
)
"""Settings whose values are shown. Of all others (addresses with passwords, paths) only whether they are set."""


def settings_shown(settings: Settings) -> Mapping[str, str | bool]:
    """Every setting by the name of its variable: its value, or (True, False) whether it is set.

    Of the policy only what was named: which one is in force, operators may have decided.
    """
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    values["policy"] = settings.named_policy
    return {
        PREFIX + name.upper(): ("–" if value is None else str(value)) if name in SHOWN else value is not None
        for name, value in values.items()
    }


def models_in_use(engine: Engine) -> Mapping[str, ModelEntry]:
    """What the manifests say of the models that this engine has loaded."""
    return engine.entries
