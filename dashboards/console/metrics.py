"""What the page counts of itself, for /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from .live import Board


class Metrics:
    """Counters and gauges of the console in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "palier_console_requests", "Requests answered.", ("status",), registry=registry
        )
        self.streams = Gauge("palier_console_streams", "Pages that follow live.", registry=registry)
        self.read_seconds = Gauge(
            "palier_console_read_seconds", "Duration of the last reading of the historian.", registry=registry
        )
        self.historian_up = Gauge(
            "palier_console_historian_up", "1 when the historian could be read.", registry=registry
        )
        self.machines = Gauge(
            "palier_console_machines", "Machines shown, by state.", ("state",), registry=registry
        )

    def board_read(self, board: Board, seconds: float) -> None:
        """Note a reading of the historian."""
        self.read_seconds.set(seconds)
        self.historian_up.set(board.problem is None)
        self.machines.clear()
        for state, count in (board.overview.counts or {}).items():
            self.machines.labels(str(state)).set(count)
