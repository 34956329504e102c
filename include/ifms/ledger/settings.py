"""Settings of the treasury's connection by which the database decides, too.

They stand in the one row of `ifms.setting`. Views, queries and code go by that row and by nothing else, so that they
can't disagree; each sweep that calls the treasury first makes it equal to its connection.
"""

from __future__ import annotations

from typing import Protocol

from ifms.ledger.database import Connection


class Settings(Protocol):
    """What is taken from a connection, checked there (`ifms.treasury.config`)."""

    @property
    def use_earlier_years(self) -> bool:
        """Whether payments are made from earlier years' sanctions, too."""

    @property
    def correction_days(self) -> int:
        """For how many days a failed payment can be corrected."""

    @property
    def correction_last_month_and_day(self) -> tuple[int, int]:
        """The last day of a correction, after the end of the failure's financial year."""


def adopt(connection: Connection, config: Settings) -> bool:
    """Make the row equal to the connection. True when it was not."""
    month, day = config.correction_last_month_and_day
    wanted = {
        "use_earlier_years": config.use_earlier_years,
        "correction_days": config.correction_days,
        "correction_last_month": month,
        "correction_last_day": day,
    }
    cursor = connection.execute(
        """
        UPDATE ifms.setting SET use_earlier_years = %(use_earlier_years)s, correction_days = %(correction_days)s,
            correction_last_month = %(correction_last_month)s, correction_last_day = %(correction_last_day)s,
            changed_at = now()
        WHERE (use_earlier_years, correction_days, correction_last_month, correction_last_day)
            <> (%(use_earlier_years)s, %(correction_days)s, %(correction_last_month)s, %(correction_last_day)s)
        """,
        wanted,
    )
    return cursor.rowcount == 1
