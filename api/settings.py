"""Settings: one frozen object, read from `HEYAN_*` once, at the composition root."""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from re import fullmatch
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

import platformdirs
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from api.processors import usable_processors
from api.tuned import Tuned, read_tuned, tuned_settings
from verify.messages import LINK_HOURS, MOST_REMINDERS
from verify.policy import DEFAULT as DEFAULT_POLICY
from verify.store_address import check_address

PREFIX = "HEYAN_"

READ_ELSEWHERE = frozenset({"HEYAN_SHARED", "HEYAN_MODEL_PATH", "HEYAN_SCREENS"})
"""Variables with our prefix that are no settings of the service: test data, and where weights may be taken from."""

KIB = 1024
MIB = 1024 * KIB


COLLECTOR_PATH = "/v1/traces"
"""Where a collector takes spans if its address names no path."""

PUBLIC_ADDRESS = r"https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~%/-]*)?"
"""What may stand in a link as it is, and in the headers of the pages behind it."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SettingsError(ValueError):
    """A setting that cannot be used. `code` is `setting_unknown` or `setting_invalid`; the message names it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def default_data_dir() -> Path:
    """Where this machine keeps the data of programs of this user."""
    return Path(platformdirs.user_data_dir("heyan", appauthor=False))


def hours_of(text: str) -> tuple[float, ...]:
    """`6,2` → (6.0, 2.0); `none` → (). Raises ValueError."""
    return () if text.strip() == "none" else tuple(float(each) for each in text.split(","))


def networks_of(text: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    """`127.0.0.1, 10.0.0.0/8` → both as networks; None → (). Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",")) if text else ()


class Settings(BaseSettings):
    """All settings of the service. Each is `HEYAN_` and the field's name in capitals; docs/settings.md lists them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8420
    public_url: str | None = None
    tls: bool = False
    store_url: str | None = None
    store_password: Path | None = None
    durable_replicas: Annotated[int, Field(ge=0, le=16)] = 0
    issuer: str = "heyan"
    receipt_algorithm: Literal["Ed25519", "EdDSA"] = "Ed25519"
    auditor_key: Path | None = None
    retention_days: Annotated[float, Field(ge=0, le=3650)] = 30.0
    checkpoint_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    pack: str = "open"
    engine: Literal["local", "ray"] = "local"
    ray_address: str = "auto"
    ray_application: Annotated[str, Field(min_length=1)] = "heyan"
    ray_seconds: Annotated[float, Field(ge=0.1, le=30)] = 2.0
    provider: Literal["auto", "cuda", "tensorrt", "openvino", "cpu"] = "auto"
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    workers: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=usable_processors)
    queue: Annotated[int, Field(ge=1, le=10_000)] = 32
    live_sessions: Annotated[int, Field(ge=1, le=10_000)] = 64
    live_load: Annotated[float, Field(gt=0, le=10)] = 0.7
    live_latency_seconds: Annotated[float, Field(ge=0.02, le=10)] = 0.5
    policy: str = DEFAULT_POLICY
    minimum_rules: Path | None = None
    allow_client_upload: bool = False
    authority_url: str | None = None
    authority_ca: Path | None = None
    authority_certificate: Path | None = None
    authority_key: Path | None = None
    authority_seconds: Annotated[float, Field(ge=0.1, le=30)] = 5.0
    authority_pause_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    sms_url: str | None = None
    sms_body: Path | None = None
    sms_headers: Path | None = None
    sms_signing_key: Path | None = None
    smtp_host: str | None = None
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 587
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: Path | None = None
    smtp_from: str | None = None
    delivery_ca: Path | None = None
    delivery_seconds: Annotated[float, Field(ge=0.1, le=30)] = 10.0
    report_url: str | None = None
    reminder_hours: str = "2"
    contact_per_hour: Annotated[int, Field(ge=1, le=1000)] = 5
    contact_per_day: Annotated[int, Field(ge=1, le=1000)] = 10
    trusted_proxies: str | None = None
    connections_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    max_body_bytes: Annotated[int, Field(ge=64 * KIB, le=1024 * MIB)] = 32 * MIB
    max_frame_bytes: Annotated[int, Field(ge=10_000, le=4 * MIB)] = 400_000
    event_streams: Annotated[int, Field(ge=1, le=10_000)] = 200
    compare_per_minute: Annotated[int, Field(ge=1)] = 30
    webhook_private_addresses: bool = False
    idempotency_wait_seconds: Annotated[float, Field(ge=0, le=60)] = 10.0
    resume_seconds: Annotated[float, Field(ge=0, le=60)] = 15.0
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = 60.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    traces: str | None = None

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        """A relative directory is meant from where the service was started, also after a change of directory."""
        return value.expanduser().absolute()

    @field_validator(
        "store_password",
        "auditor_key",
        "authority_ca",
        "authority_certificate",
        "authority_key",
        "sms_body",
        "sms_headers",
        "sms_signing_key",
        "smtp_password",
        "delivery_ca",
    )
    @classmethod
    def _absolute_file(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("public_url")
    @classmethod
    def _is_public(cls, value: str | None) -> str | None:
        """Every link begins with it, and ends in a fragment of its own. A path is of a proxy that takes it away."""
        if value is None:
            return None
        _web_address(value)
        if not fullmatch(PUBLIC_ADDRESS, value):
            raise ValueError("must be as https://verify.example or https://verify.example/path, in ASCII, no query")
        return value.rstrip("/")

    @field_validator("authority_url")
    @classmethod
    def _is_secure_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if _web_address(value).scheme != "https":
            raise ValueError("must begin with https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _has_certificates(self) -> Self:
        """Both sides of the connection to an authority prove who they are."""
        files = (self.authority_ca, self.authority_certificate, self.authority_key)
        if self.authority_url is not None and None in files:
            message = (
                "HEYAN_AUTHORITY_URL needs HEYAN_AUTHORITY_CA, HEYAN_AUTHORITY_CERTIFICATE and HEYAN_AUTHORITY_KEY"
            )
            raise ValueError(message)
        return self

    @field_validator("sms_url", "report_url")
    @classmethod
    def _is_private(cls, value: str | None) -> str | None:
        """Contacts and links go there: encrypted, unless it is on this machine. Credentials have files of their own."""
        if value is None:
            return None
        parts = _web_address(value)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("must begin with https://, or with http:// and a loopback address")
        return value

    @field_validator("traces")
    @classmethod
    def _is_collector(cls, value: str | None) -> str | None:
        """Spans hold nothing about people, so a collector in the operator's network may be asked without TLS."""
        if value is None:
            return None
        parts = _web_address(value)
        return value if parts.path.strip("/") else parts._replace(path=COLLECTOR_PATH).geturl()

    @model_validator(mode="after")
    def _links_lead_here(self) -> Self:
        """A link that is sent must lead here from a phone, which an address made from host and port rarely does."""
        sends = self.sms_url is not None or self.smtp_host is not None
        if sends and self.public_url is None and not self.tls:
            raise ValueError("HEYAN_SMS_URL and HEYAN_SMTP_HOST need HEYAN_PUBLIC_URL")
        return self

    @model_validator(mode="after")
    def _can_send_mail(self) -> Self:
        if self.smtp_host is not None and self.smtp_from is None:
            raise ValueError("HEYAN_SMTP_HOST needs HEYAN_SMTP_FROM")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("HEYAN_SMTP_USER and HEYAN_SMTP_PASSWORD need each other")
        if self.smtp_tls == "none" and self.smtp_host not in {None, *LOOPBACK}:
            raise ValueError("HEYAN_SMTP_TLS: none is for a mail server on this machine only")
        return self

    @field_validator("reminder_hours")
    @classmethod
    def _are_hours(cls, value: str) -> str:
        rule = f"must be up to {MOST_REMINDERS} numbers of hours below {LINK_HOURS}, with commas; or none"
        try:
            hours = hours_of(value)
        except ValueError:
            raise ValueError(rule) from None
        if len(hours) > MOST_REMINDERS or not all(0 < each < LINK_HOURS for each in hours):
            raise ValueError(rule)
        return value

    @property
    def reminders(self) -> tuple[float, ...]:
        """Hours before a link's end at which people are reminded."""
        return hours_of(self.reminder_hours)

    @field_validator("ray_address")
    @classmethod
    def _is_cluster(cls, value: str) -> str:
        """Of a cluster that this machine has joined; never empty, by which Ray would start one of its own."""
        host, _, port = value.rpartition(":")
        if value != "auto" and not (host and "/" not in host and port.isdecimal()):
            raise ValueError("must be auto, or HOST:PORT of the head of a cluster that this machine has joined")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str | None) -> str | None:
        """Never everybody, as `*` or 0.0.0.0/0: whoever reaches the service could then say where they come from."""
        try:
            networks = networks_of(value)
        except ValueError:
            raise ValueError("must be IP addresses or networks, with commas between them") from None
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("must not hold all addresses: name those of your proxies")
        return value

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Addresses of the trusted proxies."""
        return networks_of(self.trusted_proxies)

    @field_validator("store_url")
    @classmethod
    def _is_store_address(cls, value: str | None) -> str | None:
        if value is not None:
            check_address(value)
        return value

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        """In a file of its own or in the address, which processes and dumps of the environment show: never both."""
        if self.store_password is None:
            return self
        if self.store_url is None or self.store_url.startswith("unix://"):
            raise ValueError("HEYAN_STORE_PASSWORD needs a HEYAN_STORE_URL of a server on the network")
        if urlsplit(self.store_url).password is not None:
            raise ValueError("HEYAN_STORE_PASSWORD: HEYAN_STORE_URL holds a password too; take it out of the address")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment. No dotenv: a file found by chance must not configure the service."""
        return init_settings, env_settings

    @property
    def named_policy(self) -> str | None:
        """The policy that somebody has named; None where the default stands."""
        return self.policy if "policy" in self.model_fields_set else None

    @property
    def first_key_file(self) -> Path:
        """API key of the client that the first start on embedded defaults makes."""
        return self.data_dir / "keys" / "default-client.key"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` (options of the command line) win. None means not given, and
    so does "", as of a variable of the shell that is not set: no address to listen on is all of them.

    Workers and threads are what `heyan tune` found if neither is given: they belong together.

    Raises:
        SettingsError: `setting_unknown` for a `HEYAN_*` variable that does not exist, `setting_invalid` for a value
            that cannot be used. Never shows the value: it may hold a password.
    """
    _refuse_unknown()
    given = {name: value for name, value in overrides.items() if value not in {None, ""}}
    try:
        settings = Settings(**given)
        measured = tuned_settings(settings.data_dir, provider=settings.provider, pack=settings.pack)
    except ValidationError as error:
        raise SettingsError("setting_invalid", "; ".join(_explain(problem) for problem in error.errors())) from None
    except ValueError as error:
        raise SettingsError("setting_invalid", str(error)) from None
    free = measured.keys() - settings.model_fields_set
    return settings.model_copy(update=measured) if free == measured.keys() else settings


def outdated_tuning(settings: Settings) -> Tuned | None:
    """What `heyan tune` found with another number of processors, if it would count with this one."""
    given = settings.model_fields_set & {"workers", "threads"}
    tuned = None if given else read_tuned(settings.data_dir)
    return None if tuned is None or tuned.fits else tuned


def _web_address(value: str) -> SplitResult:
    """The parts of an address that the service sends to. Raises ValueError: none, or with credentials in it."""
    try:
        parts = urlsplit(value)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError("must be a web address") from None
    if parts.scheme not in {"http", "https"} or not named:
        raise ValueError("must begin with http:// or https:// and name a host")
    if "@" in parts.netloc or "#" in value:
        raise ValueError("must be without user, password and fragment")
    return parts


def _refuse_unknown() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | READ_ELSEWHERE
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError(
            "setting_unknown", f"{', '.join(unknown)}: no such setting; docs/settings.md lists them all"
        )


def _explain(problem: Any) -> str:
    name = "_".join(str(part) for part in problem["loc"]).upper()
    message = problem["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{name}: {message}" if name else message
