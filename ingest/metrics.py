"""What the ingest tells Prometheus: read from its parts at the moment it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from palier.alarms import Life

from .alarm_keeping import AlarmKeeper
from .commit import Committer
from .contacts import Contacts
from .disk import Disk
from .gateway_words import GatewayWords
from .inbox import Inbox
from .link import HostLink
from .notify_delivery import Notifier
from .pipeline import Pipeline

_COUNTERS = {
    "received": "messages of edge nodes taken from the queue",
    "stored": "frames made durable",
    "duplicates": "frames that came again and were not stored again",
    "again": "frames stored once more by command, after their series were lost",
    "historical": "frames stored without advancing any state",
    "clock_suspect": "frames from the future: stored under their arrival, believed in nothing",
    "edges_refused": "messages of edge nodes beyond the table",
    "rebirths_asked": "requests for births",
    "gaps": "breaks in the Sparkplug sequence of an edge node",
}


class IngestCollector(Collector):
    """Reads the counters of its parts. They are whole numbers: no lock is needed to read them."""

    def __init__(self, pipeline: Pipeline, inbox: Inbox, link: HostLink, committer: Committer) -> None:
        self._pipeline = pipeline
        self._inbox = inbox
        self._link = link
        self._committer = committer

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        counts = self._pipeline.counts
        for name, doc in _COUNTERS.items():
            yield CounterMetricFamily(f"palier_ingest_{name}", doc, value=getattr(counts, name))
        yield CounterMetricFamily(
            "palier_ingest_refused", "data messages left to the outboxes: no room", value=self._refused()
        )
        quarantined = CounterMetricFamily(
            "palier_ingest_quarantined", "messages put aside", labels=["reason"]
        )
        for reason, count in sorted(counts.quarantined.copy().items()):
            quarantined.add_metric([reason], count)
        yield quarantined
        versions = CounterMetricFamily(
            "palier_ingest_wire_versions", "messages of wire versions that are not ours", labels=["version"]
        )
        for version, count in sorted(counts.versions.copy().items()):
            versions.add_metric([version], count)
        yield versions
        doubted = CounterMetricFamily(
            "palier_ingest_sensor_doubts",
            "blocks of a channel with something the matter with its sensor",
            labels=["reason", "judged"],
        )
        for (reason, refused), count in sorted(dict(self._committer.doubts.counts).items()):
            doubted.add_metric([reason, "no" if refused else "yes"], count)
        yield doubted
        yield CounterMetricFamily(
            "palier_ingest_watch_left_out",
            "blocks that the detector failed on: stored, and judged by the limits alone",
            value=self._committer.left_out,
        )
        contradictions = self._committer.contradictions
        yield CounterMetricFamily(
            "palier_ingest_contradictions",
            "blocks whose waveform contradicts the features that were sent of it",
            value=contradictions.blocks,
        )
        yield CounterMetricFamily(
            "palier_ingest_events_left_out",
            "events that gateways caused beyond what one of them may in an hour",
            value=self._pipeline.edges.gateways.left_out + contradictions.allowance.over,
        )
        yield CounterMetricFamily(
            "palier_ingest_callback_errors", "errors of the MQTT client", value=self._link.callback_errors
        )
        yield GaugeMetricFamily("palier_ingest_queue_length", "messages in the queue", value=len(self._inbox))
        yield GaugeMetricFamily(
            "palier_ingest_frames_waiting", "frames without a verdict", value=self._pipeline.waiting
        )
        yield GaugeMetricFamily(
            "palier_ingest_online", "1 while online at the broker", value=self._link.status.online
        )
        yield GaugeMetricFamily("palier_ingest_edges", "edge nodes known", value=len(self._pipeline.edges))
        yield GaugeMetricFamily(
            "palier_ingest_commit_frames_per_second", "commit rate", value=self._pipeline.rate.frames_per_s
        )

    def _refused(self) -> int:
        """At the queue, and later in the waiting room while the store is down."""
        return self._inbox.refused + self._pipeline.counts.refused


class AlarmCollector(Collector):
    """Alarms on the list, messages to people, and words on gateways that gave way to newer ones."""

    def __init__(
        self, keeper: AlarmKeeper, notifier: Notifier, contacts: Contacts, words: GatewayWords
    ) -> None:
        self._keeper = keeper
        self._notifier = notifier
        self._contacts = contacts
        self._words = words

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        open_ = Counter(alarm.life.value for alarm in self._keeper.desk.alarms.known.values())
        alarms = GaugeMetricFamily("palier_ingest_alarms_open", "alarms on the list", labels=["state"])
        for state in Life:
            if state is not Life.NORMAL:
                alarms.add_metric([state.value], open_[state.value])
        yield alarms
        notifier = self._notifier
        yield GaugeMetricFamily(
            "palier_ingest_notices_waiting", "messages to people that wait", value=notifier.waiting
        )
        yield CounterMetricFamily(
            "palier_ingest_notices_sent", "messages that a server took", value=notifier.sent
        )
        yield CounterMetricFamily(
            "palier_ingest_notices_given_up", "messages that none took for a day", value=notifier.given_up
        )
        yield CounterMetricFamily(
            "palier_ingest_gateway_words_merged",
            "words on gateways (drops, clocks, ...) that gave way to newer ones before they were told",
            value=self._words.merged,
        )
        yield CounterMetricFamily(
            "palier_ingest_contacts_merged",
            "words on gateways that gave way to newer ones while the records were down",
            value=self._contacts.merged,
        )


class DiskCollector(Collector):
    """The disk of the data folder, and what of it each store holds and may hold."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def collect(self) -> Iterator[Metric]:
        """As of the last look, some seconds ago; nothing before the first."""
        usage = self._disk.usage
        if usage is None:
            return
        yield GaugeMetricFamily("palier_ingest_disk_free_bytes", "free on the data folder's disk", usage.free)
        held = GaugeMetricFamily("palier_ingest_store_bytes", "bytes that a store holds", labels=["store"])
        budgets = GaugeMetricFamily("palier_ingest_store_budget_bytes", "its budget", labels=["store"])
        for store, budget in usage.budgets.items():
            held.add_metric([store], getattr(usage, store))
            budgets.add_metric([store], budget)
        yield held
        yield budgets
        if self._disk.days is not None:
            yield GaugeMetricFamily(
                "palier_ingest_disk_days_left",
                "until it is full at the rate of the last week",
                self._disk.days,
            )


def commit_histogram(registry: CollectorRegistry) -> Histogram:
    """How long commits take."""
    buckets = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
    return Histogram(
        "palier_ingest_commit_seconds", "duration of a commit", buckets=buckets, registry=registry
    )
