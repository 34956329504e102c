"""FD as a task."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ifms.errors import BadInputError
from ifms_airflow.operators.sweep import TreasurySweepOperator

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from ifms.sealing import Sealer
    from ifms.services.sweep import Sweep
    from ifms.treasury.client import TreasuryClient

LONGEST = timedelta(days=366)


class FetchFailuresOperator(TreasurySweepOperator):
    """Fetch the failed payments of every voucher date that the run's data interval touches."""

    service_id = "FD"

    def work(self, context: Context, sweep: Sweep, treasury: TreasuryClient, sealer: Sealer) -> None:
        """Ask day by day, and book what failed."""
        from ifms.services.fd import fetch_failures  # noqa: PLC0415

        since, until = self.period(context)
        fetch_failures(sweep, treasury, sealer, since, until)

    def period(self, context: Context) -> tuple[datetime, datetime]:
        """The run's data interval; a run without one (started through the API) asks for the last 72 hours.

        Raises BadInputError for an interval of more than a year.
        """
        from ifms import clock  # noqa: PLC0415
        from ifms.services.fd import WINDOW  # noqa: PLC0415

        run = context["dag_run"]
        if run.data_interval_start is None or run.data_interval_end is None:
            return clock.now() - WINDOW, clock.now()
        if run.data_interval_end - run.data_interval_start > LONGEST:
            raise BadInputError(f"the period from {run.data_interval_start} is longer than {LONGEST.days} days")
        return run.data_interval_start, run.data_interval_end
