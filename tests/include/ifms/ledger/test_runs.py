"""The row of a sweep."""

from collections import Counter
from datetime import date

from ifms.ledger import runs
from ifms.ledger.runs import MAX_PROBLEMS, RunContext


def test_a_sweep_leaves_its_row(ledger):
    run = ledger.db.transact(lambda c: runs.begin(c, "PIS", RunContext("ifms_pis", "manual__1", 1, 2)))
    assert ledger.row("SELECT dag_id, run_id, shard, try_number, state FROM ifms.sweep_run") == (
        "ifms_pis",
        "manual__1",
        1,
        2,
        "running",
    )
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


def test_shards_share_the_work_of_one_run_and_one_that_is_tried_again_asks_again(ledger):
    def begin(shard, run_id="manual__1", service="PIS"):
        return ledger.db.transact(lambda c: runs.begin(c, service, RunContext("ifms_pis", run_id, shard, 1)))

    def end(run):
        ledger.db.transact(lambda c: runs.finish(c, run, Counter(), [], None))

    begin(3, run_id="manual__0")
    begin(3, service="PAG")
    first = begin(0)
    assert first.shared_since == first.started_at
    late = begin(1)
    assert late.shared_since == first.started_at < late.started_at
    end(first)
    end(late)
    assert begin(2).shared_since == first.started_at, "it had no worker before the others had ended"
    again = begin(0)
    assert first.started_at < late.started_at < again.shared_since <= again.started_at
    outside = [ledger.db.transact(lambda c: runs.begin(c, "PIS", RunContext())) for _ in range(2)]
    assert all(each.shared_since == each.started_at for each in outside)


def test_what_no_text_can_hold_does_not_keep_the_rest_from_being_told(ledger):
    run = ledger.db.transact(lambda c: runs.begin(c, "VA", RunContext()))
    ledger.db.transact(lambda c: runs.finish(c, run, Counter(problems=2), ["a\0b", "c\ud800d"], "e\0f"))
    assert ledger.row("SELECT problems, message FROM ifms.sweep_run") == (["a\ufffdb", "c\ufffdd"], "e\ufffdf")


def test_dates_that_were_asked_about_are_counted_and_added_up():
    tries = []
    for days in ([date(2026, 11, 3), date(2026, 9, 30)], [date(2026, 12, 1)], []):
        counts = Counter(done=len(days))
        for day in days:
            runs.note_date(counts, day)
        tries.append(counts)
    assert tries[0] == {"done": 2, "dates_asked": 2, "oldest_date_asked": 20260930, "newest_date_asked": 20261103}
    total = runs.added_up(tries)
    assert [runs.shown(*each) for each in sorted(total.items())] == [
        ("dates asked", 3),
        ("done", 3),
        ("newest date asked", date(2026, 12, 1)),
        ("oldest date asked", date(2026, 9, 30)),
    ]
