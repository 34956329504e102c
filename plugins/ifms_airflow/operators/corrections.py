"""COR as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ifms.errors import BadInputError
from ifms_airflow.operators.sweep import TreasurySweepOperator, proposal_id, texts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.signing import Keyring
    from ifms.sweep.treasury_sweep import TreasurySweep
    from ifms.treasury.client import TreasuryClient


class CorrectOperator(TreasurySweepOperator):
    """Make a revised payment instruction for failed beneficiaries whose bank data has been corrected.

    :param pi_number: the original PI; without it everybody who has failed and has other bank data now is taken.
    :param tenant: the city that the PI belongs to; needed with a PI number.
    :param beneficiaries: which of its failed beneficiaries (numbers, BN-…) are paid to the other account that the
        registry has now.
    :param same_account: which of them are paid to the account that failed once more, on purpose; the name of who has
        started the run goes with it. Exactly those of both lists are taken; all who have other bank data now when both
        are empty.
    :param new_original: pay failures that can't be corrected any more by a new original PI, from a sanction.
    :param proposal: the id of the proposal that another person has approved, where the correction needs one.
    :param only_pending: make nothing new, only settle the revisions whose outcome is not known.
    """

    template_fields: Sequence[str] = (
        "tenants",
        "pi_numbers",
        "pi_number",
        "tenant",
        "beneficiaries",
        "same_account",
        "new_original",
        "proposal",
    )
    service_id = "COR"

    def __init__(
        self,
        *,
        pi_number: str | None = None,
        tenant: str | None = None,
        beneficiaries: Sequence[str] | None = None,
        same_account: Sequence[str] | None = None,
        new_original: bool | str = False,
        proposal: str | None = None,
        only_pending: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pi_number = pi_number
        self.tenant = tenant
        self.beneficiaries = beneficiaries
        self.same_account = same_account
        self.new_original = new_original
        self.proposal = proposal
        self.only_pending = only_pending

    def work(self, context: Context, sweep: TreasurySweep, treasury: TreasuryClient, keyring: Keyring) -> None:
        """Settle what is PENDING, then correct what was asked for, or all that is due."""
        from ifms.services.cor import Corrections
        from ifms.services.correction_order import Order

        asked_for, proposal = self.asked_for(), proposal_id(self.proposal)
        scope = self.scope(context)
        with self.platform() as platform:
            corrections = Corrections(sweep, treasury, platform, keyring, platform.master_data(scope.tenants))
            corrections.send_again(scope)
            if self.only_pending or sweep.stopping:
                return
            if asked_for is not None:
                by = context["dag_run"].triggering_user_name
                corrections.correct([Order(*asked_for, by=by, proposal=proposal)])
            else:
                corrections.correct_due(scope)

    def asked_for(self) -> tuple[str, str, tuple[str, ...] | None, bool, tuple[str, ...]] | None:
        """The form's fields, checked: tenant, PI number, beneficiaries, new original, same account; None for all due.

        Raises BadInputError that names the field, also for a field that says something of a PI that nobody named.
        """
        if self.pi_number is None:
            if self.tenant or self.beneficiaries or self.same_account or self.new_original:
                raise BadInputError(
                    "name the original PI that city, beneficiaries, same account or new original are about; "
                    "without one, all that is due is corrected (in some cities: tenants)"
                )
            return None
        if not isinstance(self.pi_number, str) or not self.pi_number.strip():
            raise BadInputError("the original PI must be a number like PI-SA/2024-25/000001")
        if not isinstance(self.tenant, str) or not self.tenant.strip():
            raise BadInputError(f"PI {self.pi_number}: say which city it belongs to (tenant, like od.samplea)")
        if not isinstance(self.new_original, bool):
            raise BadInputError(f"PI {self.pi_number}: new original must be true or false, not a text")
        numbers = _named("beneficiaries", self.beneficiaries) if self.beneficiaries else None
        same = _named("same_account", self.same_account) if self.same_account else ()
        return self.tenant.strip(), self.pi_number.strip(), numbers, self.new_original, same


def _named(name: str, value: Any) -> tuple[str, ...]:  # noqa: ANN401  (a form's field may hold anything)
    """A form's list of beneficiaries. Raises BadInputError unless it is one that names each once."""
    numbers = tuple(texts(name, value))
    if len(numbers) != len(value):
        raise BadInputError(f"{name} names one of them twice")
    return numbers
