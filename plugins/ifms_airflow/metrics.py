"""What sweeps tell Airflow's metrics, StatsD or OpenTelemetry: a few numbers at the end of each, none per PI.

The service is a part of the name, because plain StatsD drops tags. All names are in docs/operations.md.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats

if TYPE_CHECKING:
    from ifms.sweep.run import Sweep

OUTCOMES = ("answered", "refused", "never_sent", "unknown")
GAUGES_WITH = "RELAY"  # the sweep that runs often tells what waits

log = logging.getLogger(__name__)


def wanted() -> bool:
    """Whether Airflow sends metrics anywhere."""
    return any(conf.getboolean("metrics", name) for name in ("statsd_on", "otel_on", "statsd_datadog_enabled"))


def emit(sweep: Sweep, seconds: float, failure: str | None) -> None:
    """Tell how a sweep ended; called when its row is written. What goes wrong here is logged and harms no sweep."""
    try:
        if wanted():
            _emit(sweep, seconds, failure)
    except Exception:
        log.warning("the metrics of this %s sweep are lost", sweep.service_id, exc_info=True)


def _emit(sweep: Sweep, seconds: float, failure: str | None) -> None:
    from ifms.queries.gauges import latencies, waiting

    name = f"ifms.sweep.{sweep.service_id.lower()}"
    stats.incr(f"{name}.{'failed' if failure else 'success'}")
    stats.timing(f"{name}.duration", seconds * 1000)
    for what, count in sweep.counts.items():
        if count and what in ("done", "problems"):
            stats.incr(f"{name}.{what}", count)
        elif count and what in OUTCOMES:
            stats.incr(f"ifms.calls.{sweep.service_id.lower()}.{what}", count)
    if any(sweep.counts[outcome] for outcome in OUTCOMES):
        values = sweep.db.read_snapshot(lambda c: latencies(c, sweep.run.id, sweep.run.started_at))
        for which, milliseconds in values.items():
            stats.timing(f"ifms.calls.{sweep.service_id.lower()}.latency.{which}", milliseconds)
    if sweep.service_id == GAUGES_WITH:
        for which, value in sweep.db.read_snapshot(waiting).items():
            stats.gauge(f"ifms.{which}", value)
