"""One cycle, VA → PA → PI → PIS → PAG → PD, through Airflow's real scheduler: a DAG run each, one after the other."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from standalone.airflow import FINISHED, Client
from standalone.board import Board, Step
from standalone.errors import StandaloneError

ROUNDS = 3
"""How often a step is run at most while it leaves work: the platform stores payments a moment after it confirms."""
RUN_SECONDS = 900.0
_POLL_SECONDS = 0.5

_NO_PAYMENT_LEFT = """
    SELECT (SELECT count(*) FROM ifms.payment WHERE paid_by IS NULL AND hold_code IS NULL)
         + (SELECT count(*) FROM ifms.payment_instruction WHERE status = 'PENDING')
"""
_IN_STATUS = "SELECT count(*) FROM ifms.payment_instruction WHERE pi_type = 'ORIGINAL' AND status = %s"


@dataclass(frozen=True)
class Stage:
    """One DAG of the cycle, and the query that counts what it has yet to do (None: it does all at once).

    `wakes` are DAGs that its asset starts: they must not be paused by then.
    """

    dag_id: str
    what: str
    left: tuple[str, tuple[str, ...]] | None = None
    wakes: tuple[str, ...] = ()


STAGES = (
    Stage("ifms_va", "fund allotments"),
    Stage("ifms_pa", "payments for approved bills", wakes=("ifms_pi",)),
    Stage("ifms_pi", "payment instructions", (_NO_PAYMENT_LEFT, ())),
    Stage("ifms_pis", "approval by the SSU", (_IN_STATUS, ("INITIATED",))),
    Stage("ifms_pag", "payment advice", (_IN_STATUS, ("APPROVED",))),
    Stage("ifms_pd", "debit scrolls", (_IN_STATUS, ("IN PROCESS",))),
)
DAG_IDS = tuple(stage.dag_id for stage in STAGES)


@dataclass(frozen=True)
class Cycle:
    """A walk through all stages.

    `since` is when it began, by the ledger's clock. `check` is called now and then, and raises when one of the
    processes below has died.
    """

    client: Client
    ledger: psycopg.Connection
    since: datetime
    check: Callable[[], None]

    def walk(self, board: Board) -> list[str]:
        """Run all stages; return what went wrong in them, as sentences.

        A failed DAG run does not stop the cycle: the payments that it got through go on. Raises StandaloneError when
        Airflow stops answering, or a run does not come to its end.
        """
        complaints = []
        for stage in STAGES:
            with board.step(f"{stage.dag_id}  {stage.what}") as step:
                complaint = self._run(stage, step)
                if complaint:
                    step.failed = True
                    complaints.append(complaint)
        return complaints

    def _run(self, stage: Stage, step: Step) -> str | None:
        # Unpaused one by one: a DAG whose hour has passed runs at once, and payments should not come before the funds.
        for dag_id in (*stage.wakes, stage.dag_id):
            self.client.unpause(dag_id)
        for _ in range(ROUNDS):
            run_id = f"make_run__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}_{secrets.token_hex(2)}"
            self.client.trigger(stage.dag_id, run_id)
            state = self._wait(stage.dag_id, run_id, step)
            if state != "success":
                message = self._message(stage.dag_id, run_id)
                return f"{stage.dag_id} ended as {state}" + (f": {message}" if message else "; its log is in the UI")
            if not self._left(stage):
                break
            time.sleep(1)
        return None

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
        """Say what the DAG's sweeps have done in this cycle, whoever started them: we, a schedule or an asset."""
        total: Counter[str] = Counter()
        for (counts,) in self.ledger.execute(
            "SELECT counts FROM ifms.sweep_run WHERE dag_id = %s AND started_at >= %s", (dag_id, self.since)
        ):
            total.update({name: count for name, count in counts.items() if isinstance(count, int)})
        return [f"{count} {name.replace('_', ' ')}" for name, count in total.items() if count]

    def _message(self, dag_id: str, run_id: str) -> str | None:
        row = self.ledger.execute(
            "SELECT message FROM ifms.sweep_run WHERE dag_id = %s AND run_id = %s AND message IS NOT NULL "
            "ORDER BY started_at DESC LIMIT 1",
            (dag_id, run_id),
        ).fetchone()
        return str(row[0]) if row else None
