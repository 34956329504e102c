"""The row of a sweep."""

from collections import Counter

from ifms.ledger import runs
from ifms.ledger.runs import MAX_PROBLEMS, RunContext


def test_a_sweep_leaves_its_row(ledger):
    run = ledger.db.transact(lambda c: runs.begin(c, "PIS", RunContext("ifms_pis", "manual__1", 1, 2)))
    assert ledger.row("SELECT dag_id, run_id, shard, try_number, state FROM ifms.sweep_run") == (
        "ifms_pis", "manual__1", 1, 2, "running",
    )  # fmt: skip
    many = [f"problem {number}" for number in range(MAX_PROBLEMS + 50)]
    ledger.db.transact(lambda c: runs.finish(c, run, Counter(done=3), many, None))
    row = ledger.row("SELECT state, counts, jsonb_array_length(problems), finished_at > started_at FROM ifms.sweep_run")
    assert row == ("success", {"done": 3}, MAX_PROBLEMS, True)


def test_a_sweep_that_failed_says_why(ledger):
    run = ledger.db.transact(lambda c: runs.begin(c, "PIS", RunContext()))
    ledger.db.transact(lambda c: runs.finish(c, run, Counter(), [], "SweepError: sample"))
    assert ledger.row("SELECT state, message FROM ifms.sweep_run") == ("failed", "SweepError: sample")


def test_a_try_that_was_killed_is_closed_by_the_next_one_and_no_other(ledger):
    def begin(service="PIS", dag_id="ifms_pis", run_id="manual__1", shard=0, try_number=1):
        return ledger.db.transact(lambda c: runs.begin(c, service, RunContext(dag_id, run_id, shard, try_number)))

    killed, other_shard, other_run = begin(), begin(shard=1), begin(run_id="manual__2")
    outside = [ledger.db.transact(lambda c: runs.begin(c, "PIS", RunContext())) for _ in range(2)]
    begin(try_number=2)
    with ledger.connect() as connection:
        states = dict(connection.execute("SELECT id, state FROM ifms.sweep_run").fetchall())
    assert states.pop(killed.id) == "failed"
    assert set(states) >= {run.id for run in (other_shard, other_run, *outside)}
    assert set(states.values()) == {"running"}
    ledger.db.transact(lambda c: runs.finish(c, killed, Counter(done=1), [], None))  # it was alive after all
    assert ledger.one("SELECT state FROM ifms.sweep_run WHERE id = %s", killed.id) == "success"
