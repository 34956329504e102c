"""Which days are settled, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from ifms.errors import BadInputError
from ifms_airflow.assets import SETTLED
from ifms_airflow.operators.sweep import SweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.queries.settled import Day


class AnnounceSettledDaysOperator(SweepOperator):
    """Update the asset ``ifms_settled`` once for each day that became settled in the run's data interval.

    It needs the outlet ``AssetAlias("ifms_settled")``. The event's extra: ``day`` (yyyy-mm-dd, IST), how many payments
    (``rows``) of how many ``rupees``, of these ``came_back_rows`` and ``came_back_rupees``, and ``settled_at``. What a
    settled day is: `ifms.queries.settled`. The same interval announces the same days again.

    :param day: announce this day (yyyy-mm-dd, IST) instead, as it stands now, or a template that renders to it; while
        it is not settled the task fails and says what it waits for.
    """

    template_fields: Sequence[str] = (*SweepOperator.template_fields, "day")
    service_id = "SETTLED"

    def __init__(self, *, day: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.day = day

    def execute(self, context: Context) -> None:
        """Look, announce, write the sweep's row; raises a SweepError for a day that was named and is not settled."""
        from ifms import clock
        from ifms.queries import settled
        from ifms.reports.point_in_time import wait_until_settled

        asked = self._asked()
        run = context["dag_run"]
        since, until = run.data_interval_start, run.data_interval_end
        if asked is not None:
            since = until = clock.now()
        if since is None or until is None:
            raise BadInputError("this run has no data interval: name the day")
        with self.ledger_hook.ledger() as ledger, self.sweep(context, ledger) as sweep:
            if not wait_until_settled(ledger, until):
                began = f"a transaction that began before {clock.wire_datetime(until)} IST"
                sweep.add_problem(f"{began} is still open: run it again")
                return
            if asked is None:
                found = ledger.read_snapshot(lambda c: settled.settled_between(c, since, until))
            else:
                found = ledger.read_snapshot(lambda c: settled.days(c, [asked], until))
            for day in found:
                if day.settled_at is None:
                    sweep.add_problem(_why_not(day))
                    continue
                SETTLED.emit(
                    context,
                    day=day.day.isoformat(),
                    **day.payments.plain,
                    **{f"came_back_{name}": value for name, value in day.came_back.plain.items()},
                    settled_at=day.settled_at.isoformat(),
                )
                sweep.counts["days"] += 1

    def _asked(self) -> date | None:
        """The form's day. Raises BadInputError for what is none."""
        if not self.day:
            return None
        try:
            return date.fromisoformat(self.day)
        except (TypeError, ValueError):
            raise BadInputError("day must be a date like 2026-11-23") from None


def _why_not(day: Day) -> str:
    if day.open:
        return (
            f"{day.day} is not settled: of {day.open} of its {day.payments.rows} payments it is not known what became "
            "of them; the report payment_ageing says what each waits for"
        )
    return f"{day.day} is not settled: it is not over"
