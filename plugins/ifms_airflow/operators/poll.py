"""The status services as tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifms.errors import ConfigurationError
from ifms_airflow.operators.sweep import TreasurySweepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.sealing import Sealer
    from ifms.signing import Keyring
    from ifms.sweep.status_poll import StatusService
    from ifms.sweep.treasury_sweep import TreasurySweep
    from ifms.treasury.client import TreasuryClient


class PollOperator(TreasurySweepOperator):
    """Ask the treasury about each payment instruction that waits for `service`.

    :param service: the status service's code: PIS, PAG, PD, FTPS or FTFPS.
    """

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service = service

    @property
    def service_id(self) -> str:  # type: ignore[override]
        """The service code, as the sweep's row names it."""
        return self.service

    def work(self, context: Context, sweep: TreasurySweep, treasury: TreasuryClient, keyring: Keyring) -> None:
        """Ask about every PI that is due."""
        from ifms.sweep.status_poll import Poll

        scope = self.scope(context)
        if scope.tenants is not None:
            with self.platform() as platform:
                platform.city_list(scope.tenants)  # a city that is none is an error, not a sweep with nothing to do
        Poll(sweep, status_service(self.service, keyring.sealer), treasury, scope)()


def status_service(code: str, sealer: Sealer) -> StatusService[Any]:
    """The status service with this code. Raises ConfigurationError when there is none."""
    from ifms.services.ftfps import RevisedFailure
    from ifms.services.ftps import RevisedSuccess
    from ifms.services.pag import PaymentAdvice
    from ifms.services.pd import PaymentDetails
    from ifms.services.pis import InstructionStatus

    match code:
        case "PIS":
            return InstructionStatus()
        case "PAG":
            return PaymentAdvice(sealer)
        case "PD":
            return PaymentDetails(sealer)
        case "FTPS":
            return RevisedSuccess(sealer)
        case "FTFPS":
            return RevisedFailure(sealer)
    raise ConfigurationError(f"service {code!r} is none of PIS, PAG, PD, FTPS, FTFPS")
