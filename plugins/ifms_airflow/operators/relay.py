"""The outbox as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ifms.errors import BadInputError
from ifms_airflow.operators.sweep import SweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class RelayOperator(SweepOperator):
    """Deliver what the platform must hear, in order per payment.

    :param again: messages (ids, or a template that renders to a list of them) that were set aside and shall be tried
        again; an empty list means all of them.
    """

    template_fields: Sequence[str] = ("tenants", "pi_numbers", "again")
    service_id = "RELAY"

    def __init__(self, *, again: Sequence[int] | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.again = again

    def execute(self, context: Context) -> None:
        """Do the sweep, write its row; raises a SweepError that says what to look at."""
        from ifms.delivery.payment_status import deliver

        again = None if self.again is None else self._ids()
        with (
            self.ledger_hook.ledger() as ledger,
            self.platform_hook.get_conn() as platform,
            self.sweep(context, ledger, workers=8) as sweep,
        ):
            deliver(sweep, platform, again=again)

    def _ids(self) -> list[int]:
        """Raise BadInputError unless the form's field is a list of whole numbers."""
        if not isinstance(self.again, list | tuple) or not all(type(each) is int for each in self.again):
            raise BadInputError("again must be a list of message ids (ifms.outbox.id), or empty for all")
        return list(self.again)
