"""FD as a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ifms.errors import BadInputError
from ifms_airflow.operators.sweep import TreasurySweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.signing import Keyring
    from ifms.sweep.treasury_sweep import TreasurySweep
    from ifms.treasury.client import TreasuryClient

DEFAULT_DAYS = 100
LONGEST_DAYS = 366


class FetchFailuresOperator(TreasurySweepOperator):
    """Fetch the failed payments of every voucher date on which a payment of ours may still come back.

    :param days: how far back, from today.
    :param since: ask for every date from this one on instead (yyyy-mm-dd, IST), or a template that renders to it.
    :param until: the last date of that period; today when empty.

    A backfill asks for every date of its data interval; so does a run that the scheduler makes up for later than the
    next one was due, while that one asks for the whole window.
    """

    template_fields: Sequence[str] = (*TreasurySweepOperator.template_fields, "since", "until")
    service_id = "FD"

    def __init__(
        self, *, days: int = DEFAULT_DAYS, since: str | None = None, until: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.days = days
        self.since = since
        self.until = until

    def work(self, context: Context, sweep: TreasurySweep, treasury: TreasuryClient, keyring: Keyring) -> None:
        """Ask day by day, and book what failed."""
        from ifms.services.fd import dates_to_ask, fetch_failures

        dates = self.period(context)
        fetch_failures(sweep, treasury, keyring.sealer, dates_to_ask(sweep, self.days) if dates is None else dates)

    def period(self, context: Context) -> list[date] | None:
        """Every date that the form, or the data interval of such a run, asks for; None where the window counts.

        Raises BadInputError for what is no period, one of more than a year, or one that is not over today.
        """
        from ifms import clock
        from ifms.services.fd import voucher_dates

        now = clock.now()
        if self.since or self.until:
            return _days(self.since, self.until, clock.to_ist(now).date())
        run = context["dag_run"]
        start, end = run.data_interval_start, run.data_interval_end
        if run.run_type not in ("backfill", "scheduled") or start is None or end is None:
            return None
        if run.run_type == "scheduled" and now - end < end - start:
            return None
        if end - start > timedelta(days=LONGEST_DAYS):
            raise BadInputError(f"the period from {start} is longer than {LONGEST_DAYS} days")
        return voucher_dates(start, end)


def _days(since: Any, until: Any, today: date) -> list[date]:  # noqa: ANN401  (a form's field may hold anything)
    ends = []
    for name, value in (("since", since), ("until", until or str(today))):
        try:
            ends.append(date.fromisoformat(value))
        except (TypeError, ValueError):
            raise BadInputError(f"{name} must be a date like 2026-11-23 (the form's 'From' and 'To')") from None
    first, last = ends
    if last < first:
        raise BadInputError(f"the period ends on {last}, before it begins, on {first}")
    if last > today:
        raise BadInputError(f"the period ends on {last}, which is still to come")
    if (last - first).days >= LONGEST_DAYS:
        raise BadInputError(f"the period from {first} to {last} is longer than {LONGEST_DAYS} days")
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
