"""The status services as tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ifms.errors import ConfigurationError
from ifms.services.pag import PaymentAdvice
from ifms.services.pd import PaymentDetails
from ifms.services.pis import InstructionStatus
from ifms.services.poll import Poll, StatusService
from ifms_airflow.operators.sweep import TreasurySweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.sealing import Sealer
    from ifms.services.sweep import Sweep
    from ifms.treasury.client import TreasuryClient

STATUS_SERVICES: dict[str, Callable[[], StatusService[Any]]] = {
    "PIS": InstructionStatus,
    "PAG": PaymentAdvice,
    "PD": PaymentDetails,
}


class PollOperator(TreasurySweepOperator):
    """Ask the treasury about each payment instruction that waits for `service`.

    :param service: the status service's code: PIS, PAG or PD.
    """

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service = service

    @property
    def service_id(self) -> str:  # type: ignore[override]
        """The service code, as the sweep's row names it."""
        return self.service

    def work(self, context: Context, sweep: Sweep, treasury: TreasuryClient, sealer: Sealer) -> None:
        """Ask about every PI that is due."""
        if self.service not in STATUS_SERVICES:
            raise ConfigurationError(f"service {self.service!r} is none of {', '.join(STATUS_SERVICES)}")
        Poll(sweep, STATUS_SERVICES[self.service](), treasury, self.scope(context))()
