"""Which account a payee had at some time, where the ledger does not know: by the audit log (digit-services.md §8)."""

from __future__ import annotations

from datetime import datetime

from ifms import clock
from ifms.errors import BadInputError
from ifms.platform.client import PlatformClient

_DETAIL = "eg_bank_account_detail"
_BRANCH = "eg_bank_branch_identifier"


def account_at(platform: PlatformClient, tenant_id: str, payee_id: str, when: datetime) -> tuple[str, str | None]:
    """The account number (decrypted) and IFSC of a payee as they were at `when`.

    The audit log is read in full, page by page, and sorted: of the changes up to then the newest counts. The IFSC is
    None where the log has none. Raises BadInputError that names the payee when the log knows no account number.
    """
    account = platform.bank_accounts(tenant_id, [payee_id]).get(payee_id)
    if account is None:
        raise BadInputError(f"payee {payee_id} has no bank account whose history could be looked up")
    until = clock.epoch_ms(when)
    past = [log for log in platform.audit_logs(tenant_id, account.id) if log.change_date <= until]  # newest first
    numbers = [log.key_value_map.get("accountNumber") for log in past if log.entity_name == _DETAIL]
    codes = [log.key_value_map.get("code") for log in past if log.entity_name == _BRANCH]
    cipher = next((text for text in numbers if isinstance(text, str) and text), None)
    if cipher is None:
        raise BadInputError(f"the audit log knows no account of payee {payee_id} before {clock.wire_datetime(when)}")
    return platform.decrypt([cipher])[0], next((text for text in codes if isinstance(text, str) and text), None)
