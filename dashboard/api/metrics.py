"""GET /metrics: what this process answered since its start, in Prometheus' text format, from memory; and its CSV."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboard.api.exports import attached
from dashboard.api.requests import selection
from dashboard.format.csv import Source, as_csv
from dashboard.records.prediction_log import BINS, LATENCY_EDGES, Monitor, Tally
from dashboard.services.container import Services
from dashboard.state.vocabulary import SINCE

Read = Callable[[Tally], tuple[list[tuple[str, float]], float]]
CONFIDENCE = [f"{(place + 1) / BINS:g}" for place in range(BINS)]


class Answers(Collector):
    """Reads the tallies when somebody asks: a prediction pays for nothing here."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Metric]:
        """One family after the other, each with a line a run."""
        totals = self._monitor.totals()
        counters = {
            "fashion_predictions": ("Pictures answered", lambda one: one.n),
            "fashion_abstentions": ("Answers with a confidence under 0.5", lambda one: one.abstained),
            "fashion_checked": ("Pictures compared with the training data", lambda one: one.checked),
            "fashion_unlike": ("Pictures called unlike the training data", lambda one: one.unlike),
        }
        for name, (words, count) in counters.items():
            family = CounterMetricFamily(name, words, labels=["run"])
            for run, tally in totals.items():
                family.add_metric([run], count(tally))
            yield family
        mix = CounterMetricFamily("fashion_answers", "Answers by class", labels=["run", "class"])
        for run, tally in totals.items():
            for label, n in tally.classes.items():
                mix.add_metric([run, label], n)
        yield mix
        yield self._histogram("fashion_confidence", "Confidence of the answer, 0 to 1", totals, confident)
        yield self._histogram("fashion_prediction_seconds", "Preparation and forward pass", totals, timed)

    @staticmethod
    def _histogram(name: str, words: str, totals: dict[str, Tally], read: Read) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, words, labels=["run"])
        for run, tally in totals.items():
            buckets, total = read(tally)
            family.add_metric([run], buckets, sum_value=total)
        return family


def confident(tally: Tally) -> tuple[list[tuple[str, float]], float]:
    """(upper end, answers up to it), the last one open; and the sum of all confidences."""
    return [*_summed(CONFIDENCE[:-1], tally.bins), ("+Inf", tally.n)], tally.confidence


def timed(tally: Tally) -> tuple[list[tuple[str, float]], float]:
    """The same of the seconds."""
    return [*_summed([f"{end:.6g}" for end in LATENCY_EDGES], tally.latency), ("+Inf", tally.n)], tally.seconds


def _summed(ends: list[str], counts: list[int]) -> Iterator[tuple[str, float]]:
    so_far = 0
    for end, count in zip(ends, counts, strict=False):  # the last bin is what +Inf holds
        so_far += count
        yield end, so_far


def register(server: Flask, services: Services) -> None:
    """Add GET /metrics and /export/monitoring.csv to the server, behind the same guards as every other address."""
    registry = CollectorRegistry()
    registry.register(Answers(services.monitor))

    @server.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    @server.get("/export/monitoring.csv")
    def export_minutes() -> Response:
        chosen = selection()
        run = services.store.shown(chosen.run)
        minutes = services.monitor.minutes(chosen.since or SINCE[0], run.run_id)
        return attached(as_csv(*table(minutes, run.classes), Source.of(run)), f"{run.run_id}-monitoring.csv")


def table(minutes: Sequence[tuple[int, Tally]], classes: Sequence[str]) -> tuple[list[str], list[list]]:
    """Head, then one row a minute (an hour where it is older than two days) and process; latencies in ms."""
    head = ["from", "predictions", "mean confidence", "abstentions", "compared", "unlike", "median ms", "p95 ms"]
    rows: list[list] = []
    for minute, one in minutes:
        when = f"{datetime.fromtimestamp(60 * minute, UTC):%Y-%m-%dT%H:%MZ}" if minute else "before"
        mean = f"{one.confidence / one.n:.6f}" if one.n else ""
        times = [round(1000 * one.percentile(part), 2) if one.n else "" for part in (0.5, 0.95)]
        row = [when, one.n, mean, one.abstained, one.checked, one.unlike, *times]
        rows.append([*row, *(one.classes.get(name, 0) for name in classes)])
    return [*head, *classes], rows
