"""Metrics for Prometheus. Labels are codes and stages only: few, and nothing about people."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from api.latency import Latencies
from api.traces import OFF, Traces

STAGE_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
"""Seconds. One live frame takes some 10 to 100 ms on a core; above 125 ms a session at 8 fps falls behind."""


Work = Literal["retention", "checkpoints"]
"""What a round does."""


class Metrics:
    """All metrics of one application, in a registry of its own; where a stage is measured its span is, too."""

    def __init__(self, traces: Traces = OFF) -> None:
        self.traces = traces
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "heyan_http_requests", "HTTP requests", ["method", "route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "heyan_http_request_seconds", "Time to answer a request", ["route"], registry=self.registry
        )
        self.stage_seconds = Histogram(
            "heyan_stage_seconds",
            "Time of one stage of the work",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self.sessions = Counter(
            "heyan_sessions", "Live sessions that ended, by outcome", ["outcome"], registry=self.registry
        )
        self.fraud_signs = Counter(
            "heyan_fraud_signs",
            "Signs of fraud across sessions, and what the policy makes of each",
            ["sign", "does"],
            registry=self.registry,
        )
        self.live_sessions = Gauge(
            "heyan_live_sessions", "Live sessions that run now or were promised a place", registry=self.registry
        )
        self.live_refused = Counter(
            "heyan_live_refused",
            "Live sessions that were not taken, by what was short: places, load, latency, draining",
            ["why"],
            registry=self.registry,
        )
        self.live_load = Gauge(
            "heyan_live_load",
            "Share of all workers' time that live sessions need, as measured when the last one came or went",
            registry=self.registry,
        )
        self.frames = Counter(
            "heyan_frames",
            "Frames of live sessions: analysed, or superseded by a newer one while they waited",
            ["fate"],
            registry=self.registry,
        )
        self.redemptions = Counter(
            "heyan_redemptions",
            "Redemptions by result: redeemed, or the code of the refusal",
            ["result"],
            registry=self.registry,
        )
        self.deliveries = Counter(
            "heyan_webhook_attempts",
            "Attempts to deliver a notice, by how the delivery stands after it",
            ["state"],
            registry=self.registry,
        )
        self.messages = Counter(
            "heyan_message_attempts",
            "Attempts to send a message to a person, by channel and how the message stands after it",
            ["channel", "state"],
            registry=self.registry,
        )
        self.photos_sought = Counter(
            "heyan_authority_photos",
            "Photos that an authority was asked for, by answer: found, photo_not_found, name_mismatch, delayed, paused",
            ["answer"],
            registry=self.registry,
        )
        self.stored_faces = Gauge(
            "heyan_stored_faces",
            "Portraits and templates that all cases store, as of the last round",
            registry=self.registry,
        )
        self.rounds = Gauge(
            "heyan_round_timestamp_seconds",
            "When this process last did the work of a round without a fault, Unix seconds; 0 if it never has",
            ["work"],
            registry=self.registry,
        )
        for work in get_args(Work):
            self.rounds.labels(work=work)  # an alert must see the one that never was
        self.checkpoint_time = Gauge(
            "heyan_checkpoint_timestamp_seconds",
            "When the newest checkpoint was signed, Unix seconds; 0 if there is none",
            registry=self.registry,
        )
        self.ready = Gauge("heyan_ready", "1 if this process should get traffic, else 0", registry=self.registry)
        self.checks = Gauge(
            "heyan_check_ok",
            "1 for each condition of being ready that is met, else 0; the names are those of /readyz",
            ["check"],
            registry=self.registry,
        )
        self.store_seconds = Gauge(
            "heyan_store_seconds",
            "Time that the store took to answer and to confirm that it is durable, at this scrape",
            registry=self.registry,
        )
        self.disk_free = Gauge(
            "heyan_disk_free_bytes", "Free space where the data directory lies", registry=self.registry
        )
        self.key_age = Gauge(
            "heyan_signing_key_age_seconds",
            "How long the key that signs now has done so, by purpose: live, test, checkpoint",
            ["purpose"],
            registry=self.registry,
        )
        self.certificate_end = Gauge(
            "heyan_certificate_expiry_timestamp_seconds",
            "When a certificate that this service shows ends, Unix seconds: server, authority",
            ["certificate"],
            registry=self.registry,
        )
        self.problems = Counter("heyan_problems", "Refused requests by code", ["code"], registry=self.registry)
        self.latencies = Latencies()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure and trace one stage, also when it fails."""
        started = perf_counter()
        try:
            with self.traces.stage(name):
                yield
        finally:
            self.took(name, perf_counter() - started)

    def ended(self, name: str, seconds: float) -> None:
        """One stage has just ended: measure and trace it."""
        self.took(name, seconds)
        self.traces.ended(name, seconds)

    def took(self, name: str, seconds: float) -> None:
        """One stage took so long, of whatever time: nothing to trace."""
        self.stage_seconds.labels(stage=name).observe(seconds)
        self.latencies.note(name, seconds, now=perf_counter())

    def render(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)
