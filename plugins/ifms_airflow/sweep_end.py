"""What is done when a sweep's row is written: its metrics are told, and the overview is counted anew."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ifms_airflow import metrics

if TYPE_CHECKING:
    from ifms.sweep.run import Sweep

log = logging.getLogger(__name__)


def ended(sweep: Sweep, seconds: float, failure: str | None) -> None:
    """Called at the end of every sweep. What goes wrong here is logged and harms no sweep."""
    from ifms.ledger.overview import refresh

    metrics.emit(sweep, seconds, failure)
    try:
        sweep.db.transact(refresh)
    except Exception:
        log.warning("the overview is not counted anew; a later sweep does so", exc_info=True)
