"""What a page's form proposes instead of doing it, where the act needs a second person."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import Request
from fastapi.responses import RedirectResponse

from ifms.ledger.payments import needs_two
from ifms.ledger.proposals import Act, Proposal, policy
from ifms.services import proposals
from ifms_airflow.api import dag_runs, writes
from ifms_airflow.api.access import INSTRUCTIONS
from ifms_airflow.api.forms import see_other
from ifms_airflow.api.read_pool import Reads


def needed(ledger: Reads, act: Act, amount: Decimal | None = None) -> bool:
    """Whether this act, of this amount, needs a second person now; the act looks again when it is done."""
    with ledger.connection() as connection:
        return policy(connection).needs(act, amount)


def propose(
    user: BaseUser,
    act: Act,
    subject: str,
    parameters: Mapping[str, Any],
    *,
    tenant_id: str | None,
    reason: str,
    amount: Decimal | None = None,
) -> Proposal:
    """Write the proposal under the user's name. Raises what `ifms.services.proposals.propose` does."""
    work = partial(
        proposals.propose,
        act=act,
        subject=subject,
        parameters=parameters,
        tenant_id=tenant_id,
        reason=reason,
        person=user.get_name(),
        amount=amount,
    )
    made = writes.transact(work)
    dag_runs.note(
        user, "proposed", dag_id=INSTRUCTIONS, proposal=made.id, act=act, subject=made.subject, reason=made.reason
    )
    return made


def resubmission(user: BaseUser, ledger: Reads, tenant_id: str, payment_number: str, reason: str) -> Proposal | None:
    """The proposal of one more PI for a payment, where that needs a second person; None: it needs none."""
    with ledger.connection() as connection:
        wanted = needs_two(connection, tenant_id, payment_number)
    if wanted is None:
        return None
    return propose(
        user,
        Act.RESUBMISSION,
        payment_number,
        wanted.given,
        tenant_id=tenant_id,
        reason=reason,
        amount=wanted.amount,
    )


def shown(request: Request, proposal: Proposal) -> RedirectResponse:
    """On to the page of the proposal."""
    return see_other(request, "/proposal", {"id": proposal.id})
