"""PI as a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ifms.errors import BadInputError
from ifms_airflow.operators.sweep import TreasurySweepOperator, proposal_id, texts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ifms.signing import Keyring
    from ifms.sweep.scope import Scope
    from ifms.sweep.treasury_sweep import TreasurySweep
    from ifms.treasury.client import TreasuryClient


class CreatePaymentInstructionsOperator(TreasurySweepOperator):
    """Settle the payment instructions that stayed PENDING, and make one for each payment that has none.

    :param payments: payment numbers whose last PI was declined or rejected and that shall have a new one now.
    :param adopt: a bill that the treasury has and a restored ledger has lost (the fields of `adopt.LostBill.of_form`):
        it is adopted, and nothing else is done.
    :param proposal: the id of the proposal that another person has approved, where that, or a new PI, needs one.
    """

    template_fields: Sequence[str] = ("tenants", "pi_numbers", "payments", "adopt", "proposal")
    service_id = "PI"

    def __init__(
        self,
        *,
        payments: Sequence[str] | None = None,
        adopt: Mapping[str, Any] | str | None = None,
        proposal: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.proposal = proposal
        self.payments = payments
        self.adopt = adopt

    def work(self, context: Context, sweep: TreasurySweep, treasury: TreasuryClient, keyring: Keyring) -> None:
        """Persist, send, record; oldest payment first."""
        from ifms.ledger.payments import release_holds
        from ifms.services.pi import PaymentInstructions

        if self.adopt is not None:
            if self.shard == 0:
                self.adopted(sweep, treasury, keyring)
            return
        scope = self.scope(context)
        if scope.pi_numbers is not None:
            scope = self.only(sweep, scope.pi_numbers, scope)
        if self.payments and self.shard == 0 and not self.done_before(sweep):
            numbers = texts("payments", self.payments)
            approval = proposal_id(self.proposal)
            release = partial(
                release_holds,
                payment_numbers=numbers,
                tenants=scope.tenant_list,
                approval=approval,
                done_in=_run(sweep),
            )
            try:
                sweep.db.transact(release)
            except BadInputError as error:
                if context["ti"].try_number == 1:
                    raise
                sweep.add_warning(str(error))  # the try before this one has made their PIs: settle these
        with self.platform() as platform:
            master = platform.master_data(scope.tenants)
            PaymentInstructions(sweep, treasury, platform, keyring, master, scope)()

    def only(self, sweep: TreasurySweep, pi_numbers: Sequence[str], scope: Scope) -> Scope:
        """The scope of these originals' payments; those whose last PI was declined or rejected may have another."""
        from ifms.ledger.payments import free_payments_of

        free = self.shard == 0 and not self.done_before(sweep)
        approval, run = proposal_id(self.proposal), _run(sweep)
        found = sweep.db.transact(lambda c: free_payments_of(c, pi_numbers, free=free, approval=approval, done_in=run))
        return replace(scope, pi_numbers=None, payments=tuple(found))

    def done_before(self, sweep: TreasurySweep) -> bool:
        """Whether an earlier try of this run has done what was approved: it is done once."""
        from ifms.ledger.proposals import used_by

        proposal = proposal_id(self.proposal)
        return proposal is not None and sweep.db.transact(lambda c: used_by(c, proposal, _run(sweep)))

    def adopted(self, sweep: TreasurySweep, treasury: TreasuryClient, keyring: Keyring) -> None:
        """Take the form's bill into the ledger."""
        from ifms.services.adopt import Adoption, LostBill

        if not isinstance(self.adopt, Mapping):
            raise BadInputError("adopt must be an object of fields")
        bill = replace(LostBill.of_form(self.adopt), proposal=proposal_id(self.proposal))
        with self.platform() as platform:
            Adoption(sweep, treasury, platform, keyring, platform.master_data([bill.tenant_id]))(bill)


def _run(sweep: TreasurySweep) -> str:
    return f"{sweep.context.dag_id}/{sweep.context.run_id}"
