"""The figures of /metrics, in Prometheus' text form: how much, never who and never what.

Labels come from closed lists (routes, methods, statuses, reasons, kinds of facts), so that nobody
who sends requests can make new ones, and no hidden model has a label. One process counts in memory;
several share files, and whichever answers tells of all. Source: Prometheus naming rules,
experience.md 5.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gatekeeper import __version__
from gatekeeper.services.figures import Figures
from gatekeeper.web.watch import Seen

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = CONTENT_TYPE_LATEST
LINK, DECISIONS = (
    "LinkIssued",
    {"ApplicationApproved": "approved", "ApplicationRejected": "rejected"},
)


def share(directory: Path) -> None:
    """Let the processes forked from this one count in files of one directory."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    # It was chosen at import, before anybody could say.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


def forget(process_id: int, directory: Path) -> None:
    """Drop what a process that ended was busy with; what it counted stays."""
    multiprocess.mark_process_dead(process_id, str(directory))  # type: ignore[no-untyped-call]


class Metrics:
    """The figures of this process, or its part of those that several share."""

    def __init__(self, backend: str = "direct", shared: Path | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._backend = backend
        self._shared = shared
        registry = CollectorRegistry() if shared is None else None
        self._registry = registry
        if registry is not None:
            ProcessCollector(registry=registry)
        self._make_counters(registry)
        self._make_gauges(registry)
        self._of = cache(self._one_kind)  # all labels come from closed lists

    def _make_counters(self, registry: CollectorRegistry | None) -> None:
        self._requests = Counter(
            "gatekeeper_http_requests",
            "Requests answered.",
            ("dialect", "route", "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "gatekeeper_http_request_duration_seconds",
            "Time until the first byte of an answer.",
            ("dialect", "method"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._refusals = Counter(
            "gatekeeper_refusals", "Access refused.", ("dialect", "reason"), registry=registry
        )
        self._facts = Counter("gatekeeper_facts", "Facts recorded.", ("kind",), registry=registry)
        self._links = Counter("gatekeeper_signed_urls", "Links issued.", registry=registry)
        self._decided = Counter(
            "gatekeeper_applications", "Applications decided.", ("outcome",), registry=registry
        )
        self._bytes = Counter(
            "gatekeeper_download_bytes",
            "Bytes of files offered; `open` of models that anybody may fetch.",
            ("backend", "access"),
            registry=registry,
        )

    def _make_gauges(self, registry: CollectorRegistry | None) -> None:
        def summed(name: str, text: str) -> Gauge:
            return Gauge(name, text, registry=registry, multiprocess_mode="livesum")

        self._running = summed("gatekeeper_downloads_running", "Downloads that run now.")
        self._places = summed("gatekeeper_download_places", "Downloads that may run at once.")
        self._connections = summed(
            "gatekeeper_database_connections_in_use", "Connections in use after the last request."
        )
        self._chores = Gauge(
            "gatekeeper_chore_last_success_timestamp_seconds",
            "When a chore of a server last went well.",
            ("chore",),
            registry=registry,
            multiprocess_mode="max",
        )

    def request(self, seen: Seen, connections: int) -> None:
        """Count one answered request."""
        requests, seconds = self._of(seen.dialect, seen.route, seen.method, seen.status)
        requests.inc()
        seconds.observe(seen.seconds)
        self._connections.set(connections)
        if seen.reason:
            self._refusals.labels(seen.dialect, seen.reason).inc()

    def _one_kind(
        self, dialect: str, route: str, method: str, status: int
    ) -> tuple[Counter, Histogram]:
        return (
            self._requests.labels(dialect, route, method, str(status)),
            self._seconds.labels(dialect, method),
        )

    def fact(self, kind: str) -> None:
        """Count one fact that was recorded and is durable."""
        self._facts.labels(kind).inc()
        if kind == LINK:
            self._links.inc()
        if kind in DECISIONS:
            self._decided.labels(DECISIONS[kind]).inc()

    def offered(self, size_bytes: int, *, is_open: bool) -> None:
        """Count bytes that an answer offers."""
        self._bytes.labels(self._backend, "open" if is_open else "granted").inc(size_bytes)

    def places(self, number: int) -> None:
        """Say how many downloads this process runs at most."""
        self._places.set(number)

    def moved(self, by: int) -> None:
        """Note that a download began (1) or ended (-1)."""
        self._running.inc(by)

    def chore_done(self, name: str, timestamp: float) -> None:
        """Note that a chore went well, at seconds since 1970."""
        self._chores.labels(name).set(timestamp)

    def text(self, figures: Figures | None) -> bytes:
        """Return everything in Prometheus' text form; without figures the database is down."""
        told = CollectorRegistry()
        told.register(_Told(figures))
        counted = self._registry
        if counted is None:
            counted = CollectorRegistry()
            multiprocess.MultiProcessCollector(counted, str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(told)


class _Told(Collector):
    """What the database says, the same whichever process is asked."""

    def __init__(self, figures: Figures | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("gatekeeper_build_info", "The version.", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build
        yield GaugeMetricFamily(
            "gatekeeper_database_up", "Whether the database answers.", self._figures is not None
        )
        if self._figures is not None:
            for name, text in _FIGURES.items():
                yield GaugeMetricFamily(f"gatekeeper_{name}", text, getattr(self._figures, name))


_FIGURES = {
    "ledger_entries": "Entries of the ledger that have a leaf.",
    "ledger_unsequenced": "Entries that wait for a leaf.",
    "mail_waiting": "Letters that wait to be sent.",
    "mail_oldest_seconds": "How long the oldest of them has been owed.",
    "mail_dead": "Letters that will not be tried again.",
    "queue_open": "Applications that are open.",
    "queue_oldest_seconds": "How long the oldest of them has been open.",
}
