"""The choice before a revised PI: each failed payee's account as it failed and as it is now, and what may be ticked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException

from ifms.errors import PlatformError
from ifms.ledger import corrections, instructions
from ifms.queries.instruction import Row
from ifms.services.candidates import Account, Candidates
from ifms_airflow.api.messages import t
from ifms_airflow.api.read_pool import Reads
from ifms_airflow.hooks import PlatformHook, TreasuryHook


@dataclass(frozen=True)
class Choosable:
    """A failed payee, and how a revision may pay it now."""

    row: Row
    now: Account | None = None
    mended: bool = False
    """Whether the registry has another account now than the one that failed."""
    fault: str | None = None
    """Why no revision can pay it now."""
    shared_with: str | None = None
    """Another one of the list with the same account now: one revision can't pay both."""

    @property
    def last4(self) -> str:
        """The last four digits of the account now."""
        return self.now.number[-4:] if self.now else ""

    @property
    def ticked(self) -> bool:
        """Whether it is revised unless the person says otherwise."""
        return self.mended and self.shared_with is None


def choosable(ledger: Reads, original_number: str, rows: Sequence[Row]) -> list[Choosable]:
    """The failed payees `rows` of an original or of its revisions, with what the registry says of them now.

    Raises 503 while the registry can't be asked: without it nobody knows which accounts are mended.
    """
    with ledger.connection() as connection:
        original = instructions.find(connection, [original_number])[original_number]
        histories = corrections.histories(connection, original)
    wanted = {number: histories[number] for number in (row["beneficiary_number"] for row in rows)}
    try:
        with PlatformHook().get_conn() as platform:
            accounts, faults = Candidates(platform, TreasuryHook().sealer).accounts(original, wanted)
    except PlatformError as error:
        raise HTTPException(503, t("rev.no_registry", why=error)) from None
    found: list[Choosable] = []
    for row in rows:
        number = row["beneficiary_number"]
        if number in faults:
            found.append(Choosable(row, fault=faults[number]))
            continue
        now = accounts[number].now
        shared = next((o.row["beneficiary_number"] for o in found if o.ticked and o.now and o.now.same_as(now)), None)
        found.append(Choosable(row, now, accounts[number].mended, shared_with=shared))
    return found


def accounts_now(ledger: Reads, original_number: str, rows: Sequence[Row]) -> dict[str, Account]:
    """The account of each failed payee as the registry has it now, by beneficiary number.

    Raises 409 for one without a valid account, 503 while the registry can't be asked.
    """
    with ledger.connection() as connection:
        original = instructions.find(connection, [original_number])[original_number]
        histories = corrections.histories(connection, original)
    wanted = {number: histories[number] for number in (row["beneficiary_number"] for row in rows)}
    try:
        with PlatformHook().get_conn() as platform:
            accounts, faults = Candidates(platform, TreasuryHook().sealer).accounts_now(original, wanted)
    except PlatformError as error:
        raise HTTPException(503, t("rev.no_registry", why=error)) from None
    if faults:
        raise HTTPException(409, "; ".join(faults.values()))
    return accounts


def narrowed(
    conf: Mapping[str, Any], rows: Sequence[Row], revise: Sequence[str], same_account: Sequence[str]
) -> dict[str, Any]:
    """The form of ifms_cor for those who were ticked. Raises 400 for nobody, or for somebody ticked in two ways."""
    ticked = [*revise, *same_account]
    if not ticked:
        raise HTTPException(400, t("rev.nobody"))
    if len(set(ticked)) != len(ticked):
        raise HTTPException(400, t("rev.twice"))
    if not set(ticked) <= {row["beneficiary_number"] for row in rows}:
        raise HTTPException(409, t("rev.gone"))
    return {**conf, "beneficiaries": list(revise), "same_account": list(same_account)}
