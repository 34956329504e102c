"""An OpenTelemetry collector on a real socket: it takes metrics by OTLP over HTTP and keeps ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PREFIX = "airflow.ifms."


@dataclass
class Collector:
    """Where it is, and what it was told last: by name without Airflow's prefix, (kind, value)."""

    url: str
    told: dict[str, tuple[str, float]] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The settings that docs/operations.md names."""
        interval = {"OTEL_METRIC_EXPORT_INTERVAL": "60000"}
        return {"AIRFLOW__METRICS__OTEL_ON": "True", "OTEL_EXPORTER_OTLP_ENDPOINT": self.url, **interval}


@contextmanager
def collector() -> Iterator[Collector]:
    """One until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    made = Collector(f"http://127.0.0.1:{server.server_port}")

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/metrics"
            made.told |= _ours(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server.RequestHandlerClass = Taker
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _ours(body: bytes) -> dict[str, tuple[str, float]]:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    told: dict[str, tuple[str, float]] = {}
    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            if metric.name.startswith(PREFIX):
                kind = metric.WhichOneof("data")
                [point] = getattr(metric, kind).data_points  # none of ours has tags
                value = point.count if kind == "exponential_histogram" else getattr(point, point.WhichOneof("value"))
                told[metric.name.removeprefix("airflow.")] = (f"{kind} {metric.unit}".strip(), value)
    return told
