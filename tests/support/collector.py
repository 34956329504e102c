"""An OpenTelemetry collector on a real socket: it takes metrics by OTLP over HTTP and keeps ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support.listener import listening

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
    made = Collector("")

    def heard(path: str, _: Any, body: bytes) -> int:
        assert path == "/v1/metrics"
        made.told |= _ours(body)
        return 200

    with listening(heard) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


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
