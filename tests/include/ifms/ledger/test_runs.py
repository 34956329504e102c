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
