"""What a Prometheus server may ask of the process."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from runs_analytics.api.runtime import Runtime
from runs_analytics.errors import RunsError
from runs_analytics.ingest.accept import ItemAnswer

OUTCOMES: Final = ("accepted", "duplicate", "conflict", "rejected")
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self, runtime: Runtime) -> None:
        self._registry = CollectorRegistry()
        ingested = Counter(
            "runs_ingested",
            "Runs that were sent, by what became of them.",
            ["outcome"],
            registry=self._registry,
        )
        self._ingested = {outcome: ingested.labels(outcome) for outcome in OUTCOMES}
        self.acknowledge_seconds = Histogram(
            "runs_acknowledge_seconds",
            "Time from the start of a request to its acknowledgement.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Stores(runtime))

    def count(self, answers: Iterable[ItemAnswer]) -> Counts[str]:
        """Count what became of a request's runs; returned by outcome as well."""
        counts: Counts[str] = Counts(answer.status for answer in answers)
        for outcome, runs in counts.items():
            self._ingested[outcome].inc(runs)
        return counts

    def text(self) -> bytes:
        """Everything in Prometheus' text format; asks both stores, so it may wait for them."""
        return generate_latest(self._registry)


class _Stores(Collector):
    """The state of both stores at the moment of asking; what a store does not say is left out."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand, so that registering asks no store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Gauges of both stores."""
        ready = readiness(self._runtime)
        is_ready = GaugeMetricFamily("runs_store_ready", "Whether a store answers.", labels=["store"])
        for store, answers in ready.items():
            is_ready.add_metric([store], float(answers))
        yield is_ready
        healed = len(self._runtime.warehouse.healed)
        yield _gauge("runs_warehouse_healed", "Damages that the warehouse mended at opening.", healed)
        if not all(ready.values()):
            return
        yield _gauge(
            "runs_applied_seq", "Highest seq that is in the warehouse.", self._runtime.warehouse.applied_seq
        )
        lag = self._runtime.lag()
        yield _gauge("runs_waiting_inbox_rows", "Inbox rows that are not in the warehouse yet.", lag.rows)
        yield _gauge("runs_waiting_runs", "Runs that are not in the warehouse yet.", lag.runs)
        waited_s = 0.0
        if lag.oldest_received_at is not None:
            waited_s = (self._runtime.clock() - lag.oldest_received_at).total_seconds()
        yield _gauge("runs_waiting_seconds", "Time that the oldest of them has waited.", waited_s)


def readiness(runtime: Runtime) -> dict[str, bool]:
    """Whether each store answers a real question."""
    checks = {"control": runtime.control.check, "warehouse": runtime.warehouse.check_ready}
    ready = {}
    for store, check in checks.items():
        try:
            check()
            ready[store] = True
        except RunsError:
            ready[store] = False
    return ready


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)
