"""ifms_reconcile: every invariant of the ledger (`ifms.ledger.invariants`), looked at on its rows.

Given the keys and the platform, also what the rows alone can't tell (`witnesses`). It reads, and mends nothing: a
broken rule is for a person. The one thing it does is to let PIs that have been PENDING for long stand first in
ifms_pi's queue, which asks the treasury about them before anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ifms.ledger.claims import ask_first
from ifms.ledger.invariants import INVARIANTS, Finding, find_violations
from ifms.ledger.limits import Limits
from ifms.platform.client import PlatformClient
from ifms.services.witnesses import OWED, otherwise_owed, unsigned
from ifms.signing import Keyring
from ifms.sweep.run import Sweep


def reconcile(
    sweep: Sweep,
    limits: Limits | None = None,
    *,
    keyring: Keyring | None = None,
    platform: PlatformClient | None = None,
    every: bool = False,
) -> Sequence[Finding]:
    """Look at every invariant; each row that breaks one is a problem of the sweep, which then does not end green.

    Signatures are checked with a keyring, sums with the platform: of PIs under way or changed lately, or of `every`
    one.
    """
    limits = limits or Limits()
    findings = sweep.db.read_snapshot(partial(find_violations, limits=limits))
    sweep.counts["rules"] = len(INVARIANTS) + (keyring is not None) + (platform is not None)
    if keyring is not None:
        findings += filter(None, [unsigned(sweep.db, keyring, every=every)])
    if platform is not None:

        def not_compared(why: str) -> None:
            sweep.add_problem(f"{OWED.name}: {why}")

        findings += filter(None, [otherwise_owed(sweep.db, platform, not_compared, every=every)])
    for finding in findings:
        sweep.add_finding(finding)
    sweep.counts["asked_first"] = len(sweep.db.transact(partial(ask_first, pending_for=limits.pending)))
    return findings
