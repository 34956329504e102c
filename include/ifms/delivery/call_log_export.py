"""Copies the log of calls into Elasticsearch, as a part of ifms_relay, and removes old calls from the ledger.

Payments never wait for it: a call is written with its effect and shipped later, from its row. What Elasticsearch does
not take now stays due; what it refuses for good is set aside with its reason, and the rest goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from ifms.clock import now
from ifms.errors import CallStoreError, CallStoreUnsuitedError
from ifms.ledger import call_store
from ifms.ledger.call_store import StoredCall
from ifms.ledger.claims import Claim
from ifms.ledger.database import Connection
from ifms.sweep.run import Sweep

if TYPE_CHECKING:  # its client takes most of a second to import, and most installations have no Elasticsearch
    from ifms.calllog.elastic import CallStore, Written

BATCH = 500
BATCH_BYTES = 8 * 2**20  # of what is sealed and encrypted in a batch; its documents take a few times as much memory
GIVEN_UP_AFTER = timedelta(hours=1)  # no call takes so long: an announced one of that age lost its process
LOUD_AFTER = timedelta(hours=24)  # what Elasticsearch has not taken by then, somebody should see to
LONGEST_RUN = timedelta(minutes=5)  # the rest is the next run's, so that a slow Elasticsearch holds nobody up
REMOVED_AT_A_TIME = 1000


def ship(sweep: Sweep, store: CallStore, *, again: bool = False, longest: timedelta = LONGEST_RUN) -> None:
    """Ship what is due, oldest first; before that let what was set aside be tried `again`.

    An Elasticsearch that is away is a remark, and a problem once a call has waited for a day; one that the client can't
    talk to is a problem at once.
    """
    if again:
        sweep.counts["sent_again"] += sweep.db.transact(call_store.ship_again)
    claim = sweep.db.transact(call_store.claim_shipping)
    if claim is None:
        sweep.add_warning("another run is shipping calls; this one leaves them to it")
        return
    try:
        for remark in store.prepare():
            sweep.add_warning(remark)
        _ship_all(sweep, store, claim, time.monotonic() + longest.total_seconds())
    except CallStoreUnsuitedError as error:
        sweep.add_problem(f"{error}; the calls stay in the ledger")
    except CallStoreError as error:
        _waiting(sweep, str(error))
    finally:
        sweep.db.transact(partial(call_store.end_shipping, claim=claim))


def _ship_all(sweep: Sweep, store: CallStore, claim: Claim, until: float) -> None:
    behind: StoredCall | None = None  # of calls that Elasticsearch does not take now: the next ones may fare better
    while not sweep.stopping and time.monotonic() < until:
        batch = sweep.db.transact(
            partial(
                call_store.unshipped, limit=BATCH, most_bytes=BATCH_BYTES, given_up_after=GIVEN_UP_AFTER, after=behind
            )
        )
        if not batch:
            return
        written = store.write(batch)
        held = sweep.db.transact(partial(_settle, written=written, claim=claim))
        sweep.counts["shipped"] += len(written.taken)
        _report_refused(sweep, written)
        if written.later:
            behind = batch[-1]
            if not written.taken:
                _waiting(sweep, f"Elasticsearch takes no calls now: {written.why_later}")
                return
        if not held:
            sweep.add_warning("another run has taken over the shipping of calls")
            return


def _settle(connection: Connection, written: Written, claim: Claim) -> bool:
    if written.taken:
        call_store.mark_shipped(connection, written.taken)
    if written.refused:
        call_store.set_calls_aside(connection, written.refused)
    return call_store.keep_shipping(connection, claim)


def _report_refused(sweep: Sweep, written: Written) -> None:
    sweep.counts["set_aside"] += len(written.refused)
    for call_id, reason in written.refused.items():
        sweep.add_problem(f"call {call_id} was refused by Elasticsearch and is set aside: {reason}")


def _waiting(sweep: Sweep, reason: str) -> None:
    oldest = sweep.db.transact(call_store.oldest_unshipped)
    if oldest is not None and now() - oldest > LOUD_AFTER:
        sweep.add_problem(f"{reason}; calls have been waiting since {oldest:%Y-%m-%d %H:%M} UTC, and none is lost")
    else:
        sweep.add_warning(f"{reason}; the calls stay in the ledger until it does")


def remove_old(sweep: Sweep, keep: timedelta, *, unshipped_too: bool, clock: Callable[[], datetime] = now) -> None:
    """Remove the calls that are older than `keep` and were shipped, in short transactions; `unshipped_too`: all."""
    before = clock() - keep
    while not sweep.stopping:
        removed = sweep.db.transact(
            partial(call_store.remove_old_calls, before=before, unshipped_too=unshipped_too, limit=REMOVED_AT_A_TIME)
        )
        sweep.counts["removed"] += removed
        if removed < REMOVED_AT_A_TIME:
            return
