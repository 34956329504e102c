"""One cycle through Airflow's real scheduler: a DAG run each, one after the other, with what people do in between.

VA → PA → PI → PIS → PAG → PD; one PI is rejected and its payment gets another, one payee's money comes back, days after
its voucher, and is paid to a corrected account: FD → COR → FTPS → FTFPS; at last the platform hears of it all.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

from ifms.ledger.runs import added_up, shown
from ifms_standalone.airflow import FINISHED, Client
from ifms_standalone.errors import StandaloneError
from ifms_standalone.injected_failures import LATE_DAYS, InjectedFailures
from ifms_standalone.progress import Progress, Step

ROUNDS = 3
"""How often a step is run at most while it leaves work: the platform stores payments a moment after it confirms."""
RUN_SECONDS = 900.0
_POLL_SECONDS = 0.5

_NO_PAYMENT_LEFT = """
    SELECT (SELECT count(*) FROM ifms.payment WHERE paid_by IS NULL AND hold_code IS NULL)
         + (SELECT count(*) FROM ifms.payment_instruction WHERE status = 'PENDING')
"""
_IN_STATUS = "SELECT count(*) FROM ifms.payment_instruction WHERE pi_type = %s AND status = %s"
_UNHEARD = "SELECT count(*) FROM ifms.outbox WHERE delivered_at IS NULL AND set_aside_at IS NULL"


@dataclass(frozen=True)
class Stage:
    """One DAG of the cycle, and the query that counts what it has yet to do (None: it does all at once).

    `wakes` are DAGs that its asset starts: they must not be paused by then. `form` fills in the DAG's form.
    """

    dag_id: str
    what: str
    left: tuple[str, tuple[str, ...]] | None = None
    wakes: tuple[str, ...] = ()
    form: Callable[[InjectedFailures], dict[str, Any] | None] | None = None


@dataclass(frozen=True)
class Event:
    """Something that happens outside of Airflow: what, and how it is brought about."""

    what: str
    happen: Callable[[InjectedFailures], str]


# The treasury's calendar is days behind until the payees are paid: a bank tells of a return days after its voucher, but
# no other day comes while a cycle runs.
# The rejected payment's second PI is made before PAG and PD are asked: so they run once for all.
WALK: tuple[Stage | Event, ...] = (
    Stage("ifms_va", "fund allotments"),
    Event("the treasury pays on an earlier day", lambda injected: injected.pay_days_ago(LATE_DAYS)),
    Stage("ifms_pa", "payments for approved bills", wakes=("ifms_pi",)),
    Stage("ifms_pi", "payment instructions", (_NO_PAYMENT_LEFT, ())),
    Event("planted: an SSU will reject", lambda injected: injected.reject_one()),
    Stage("ifms_pis", "approval by the SSU", (_IN_STATUS, ("ORIGINAL", "INITIATED"))),
    Stage(
        "ifms_pi",
        "another for the rejected payment",
        (_NO_PAYMENT_LEFT, ()),
        form=lambda injected: injected.rejected_payments(),
    ),
    Stage("ifms_pis", "its approval", (_IN_STATUS, ("ORIGINAL", "INITIATED"))),
    Stage("ifms_pag", "payment advice", (_IN_STATUS, ("ORIGINAL", "APPROVED"))),
    Stage("ifms_pd", "debit scrolls", (_IN_STATUS, ("ORIGINAL", "IN PROCESS"))),
    Event("planted: a bank will return the money", lambda injected: injected.return_one()),
    Event("the treasury's calendar goes on", lambda injected: injected.pay_days_ago(1)),
    Stage("ifms_fd", "failed payments: not told yet"),
    Event("the treasury's calendar goes on", lambda injected: injected.pay_days_ago(0)),
    Stage("ifms_fd", "failed payments: the late return"),
    Event("the account is corrected", lambda injected: injected.correct_account()),
    Stage("ifms_cor", "a revised payment instruction", form=lambda injected: injected.correction()),
    Stage("ifms_ftps", "its debit scroll", (_IN_STATUS, ("REVISED", "INITIATED"))),
    Stage("ifms_ftfps", "whether it failed again"),
    Stage("ifms_relay", "what the platform must hear", (_UNHEARD, ())),
    Stage("ifms_reconcile", "every rule of the ledger, on its rows"),
)
STAGES = tuple(each for each in WALK if isinstance(each, Stage))
DAG_IDS = tuple(dict.fromkeys(stage.dag_id for stage in STAGES))


@dataclass(frozen=True)
class Cycle:
    """A walk through all stages and events.

    `since` is when it began, by the ledger's clock. `check` is called now and then, and raises when one of the
    processes below has died.
    """

    client: Client
    ledger: psycopg.Connection
    since: datetime
    check: Callable[[], None]
    injected: InjectedFailures
    _seen: dict[str, datetime] = field(default_factory=dict)
    """Until when each DAG's work was told at its stage."""

    def walk(self, progress: Progress) -> list[str]:
        """Run all stages; return what went wrong in them, as sentences.

        A failed DAG run does not stop the cycle: the payments that it got through go on. Raises StandaloneError when
        Airflow stops answering, or a run does not come to its end.
        """
        # From the second run on all are awake: none shall do its part before its turn, or before what is planted.
        for dag_id in DAG_IDS:
            self.client.pause(dag_id)
        complaints = []
        for each in WALK:
            label = f"{each.dag_id}  {each.what}" if isinstance(each, Stage) else each.what
            with progress.step(label) as step:
                complaint = self._run(each, step) if isinstance(each, Stage) else self._happen(each, step)
                if complaint:
                    step.failed = True
                    complaints.append(complaint)
        return complaints

    def _happen(self, event: Event, step: Step) -> str | None:
        try:
            step.note = event.happen(self.injected)
        except StandaloneError as error:
            step.note = str(error)
            return step.note
        return None

    def _run(self, stage: Stage, step: Step) -> str | None:
        for dag_id in (*stage.wakes, stage.dag_id):
            self.client.unpause(dag_id)
        self._catch_up(stage.dag_id, step)
        try:
            for _ in range(ROUNDS):
                run_id = f"make_run__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}_{secrets.token_hex(2)}"
                self.client.trigger(stage.dag_id, run_id, stage.form(self.injected) if stage.form else None)
                state = self._wait(stage.dag_id, run_id, step)
                if state != "success":
                    message = self._message(stage.dag_id, run_id)
                    return f"{stage.dag_id} ended as {state}" + (
                        f": {message}" if message else "; its log is in the UI"
                    )
                if not self._left(stage):
                    break
                time.sleep(1)
        finally:
            self._seen[stage.dag_id] = self._now()
        return None

    def _catch_up(self, dag_id: str, step: Step) -> None:
        """Wait until the scheduler has made all runs that are due: a DAG that catches up has one per missed day."""
        deadline = time.monotonic() + RUN_SECONDS
        while due := self.client.due_since(dag_id):
            step.note = f"waiting for the run of {due}"
            self.check()
            if time.monotonic() > deadline:
                raise StandaloneError(
                    f"Airflow has not started the run of {dag_id} that is due since {due} within "
                    f"{RUN_SECONDS / 60:.0f} minutes; see the DAG in the UI."
                )
            time.sleep(_POLL_SECONDS)

    def _wait(self, dag_id: str, run_id: str, step: Step) -> str:
        """Wait for the run, and for those of the same DAG that a schedule or an asset has started meanwhile."""
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            state = self.client.state(dag_id, run_id)
            others = [each for each in self.client.active_runs(dag_id) if each != run_id]
            waiting = [f"waiting for {others[0]}"] if others and state in FINISHED else []
            message = self._message(dag_id, run_id)
            trouble = [f"tried again soon, after {message}"] if message and state not in FINISHED else []
            step.note = ", ".join([state, *self._counts(dag_id), *waiting, *trouble])
            if state in FINISHED and not others:
                return state
            self.check()
            if time.monotonic() > deadline:
                raise StandaloneError(
                    f"{dag_id} was still {state} after {RUN_SECONDS / 60:.0f} minutes; see its run {run_id} in the UI."
                )
            time.sleep(_POLL_SECONDS)

    def _left(self, stage: Stage) -> int:
        if stage.left is None:
            return 0
        row = self.ledger.execute(*stage.left).fetchone()
        return int(row[0]) if row else 0

    def _counts(self, dag_id: str) -> list[str]:
        """Say what the DAG's sweeps have done for this stage, whoever started them: we, a schedule or an asset."""
        rows = self.ledger.execute(
            "SELECT counts FROM ifms.sweep_run WHERE dag_id = %s AND started_at >= %s",
            (dag_id, self._seen.get(dag_id, self.since)),
        ).fetchall()
        total = added_up(counts for (counts,) in rows)
        return [f"{count} {what}" for what, count in (shown(*each) for each in total.items() if each[1])]

    def _now(self) -> datetime:
        row = self.ledger.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        now: datetime = row[0]
        return now

    def _message(self, dag_id: str, run_id: str) -> str | None:
        row = self.ledger.execute(
            "SELECT message FROM ifms.sweep_run WHERE dag_id = %s AND run_id = %s AND message IS NOT NULL "
            "ORDER BY started_at DESC LIMIT 1",
            (dag_id, run_id),
        ).fetchone()
        return str(row[0]) if row else None
