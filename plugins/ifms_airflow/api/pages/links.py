"""Links from a PI's page to the platform's own screens, whose addresses are the site's to say."""

from __future__ import annotations

import os
from urllib.parse import quote, urlsplit

BILL = "IFMS_BILL_URL"
"""Environment variable: the address of a bill's screen, with {bill} and {tenant} in it; no link when unset."""
BENEFICIARY = "IFMS_BENEFICIARY_URL"
"""Environment variable: the address of a payee's screen, with {id}, {type} (IND, ORG, DEPT) and {tenant} in it."""


def bill(number: str, tenant_id: str) -> str | None:
    """The address of a bill's screen; None when the site names none."""
    return _filled(BILL, bill=number, tenant=tenant_id)


def beneficiary(beneficiary_id: str, kind: str, tenant_id: str) -> str | None:
    """The address of a payee's screen; None when the site names none."""
    return _filled(BENEFICIARY, id=beneficiary_id, type=kind, tenant=tenant_id)


def _filled(variable: str, **values: str) -> str | None:
    address = os.environ.get(variable, "").strip()
    if urlsplit(address).scheme not in {"http", "https"}:
        return None  # nothing else belongs behind a link: least of all a script
    for name, value in values.items():
        address = address.replace(f"{{{name}}}", quote(value, safe=""))
    return address
