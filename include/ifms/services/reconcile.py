"""ifms_reconcile: every invariant of the ledger (`ifms.ledger.invariants`), looked at on its rows.

It reads, in one snapshot, and mends nothing: a broken rule is for a person. The one thing it does is to let PIs that
have been PENDING for long stand first in ifms_pi's queue, which asks the treasury about them before anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ifms.ledger.claims import ask_first
from ifms.ledger.invariants import INVARIANTS, Finding, look
from ifms.ledger.limits import Limits
from ifms.sweep.run import Sweep


def reconcile(sweep: Sweep, limits: Limits | None = None) -> Sequence[Finding]:
    """Look at every invariant; each row that breaks one is a problem of the sweep, which then does not end green."""
    limits = limits or Limits()
    findings = sweep.db.read_snapshot(partial(look, limits=limits))
    sweep.counts["rules"] = len(INVARIANTS)
    for finding in findings:
        rule = finding.invariant
        sweep.counts[rule.name] = finding.count
        for row in finding.rows:
            sweep.add_problem(f"{rule.name}: {row}. {rule.remedy}")
        if finding.count > len(finding.rows):
            sweep.add_problem(f"{rule.name}: and {finding.count - len(finding.rows)} more")
    sweep.counts["asked_first"] = len(sweep.db.transact(partial(ask_first, pending_for=limits.pending)))
    return findings
