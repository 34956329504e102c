"""A sweep's row: what it counted, what a person should see, what its end is called."""

import gc
import threading

import pytest

from ifms.errors import ClaimLostError, LedgerError, SweepNeedsAttentionError, SweepStoppedError
from ifms.ledger import runs
from ifms.sweep.run import Sweep


def row(ledger):
    return ledger.row("SELECT state, counts, problems, message FROM ifms.sweep_run")


def test_a_sweep_without_work_ends_green(ledger):
    with Sweep(ledger.db, "PIS"):
        assert row(ledger)[0] == "running"
    assert row(ledger) == ("success", {}, [], None)


def test_a_problem_makes_it_red_and_a_warning_does_not(ledger):
    with Sweep(ledger.db, "PIS") as sweep:
        sweep.add_warning("sample: worth knowing")
    assert sweep.problems == ["sample: worth knowing"]
    with pytest.raises(SweepNeedsAttentionError, match=r"1 problem\(s\), the first: sample"), sweep:
        sweep.add_problem("sample: look at this")


def test_an_error_from_inside_is_kept_on_the_row_and_goes_on(ledger):
    with pytest.raises(LedgerError, match="sample"), Sweep(ledger.db, "PIS"):
        raise LedgerError("sample refusal")
    state, _, _, message = row(ledger)
    assert (state, message) == ("failed", "LedgerError: sample refusal")


def test_stopped_on_request_it_says_so(ledger):
    stop = threading.Event()
    with pytest.raises(SweepStoppedError), Sweep(ledger.db, "PIS", stop=stop) as sweep:
        stop.set()
        assert sweep.stopping


def test_what_another_copy_took_over_is_counted_and_no_error(ledger):
    def give_back():
        raise ClaimLostError("sample: taken over")

    with Sweep(ledger.db, "PIS") as sweep:
        sweep.ignore_lost_claim(give_back)
        sweep.ignore_lost_claim(lambda: None)
    assert row(ledger)[:2] == ("success", {"claim_lost": 1})


def test_the_row_keeps_so_many_problems_and_counts_the_rest(ledger):
    with pytest.raises(SweepNeedsAttentionError), Sweep(ledger.db, "PIS") as sweep:
        for number in range(runs.MAX_PROBLEMS + 5):
            sweep.add_problem(f"sample {number}")
    _, counts, problems, _ = row(ledger)
    assert (counts["problems"], len(problems)) == (runs.MAX_PROBLEMS + 5, runs.MAX_PROBLEMS)


def test_who_wants_to_hear_of_the_end_does_after_the_row_is_written(ledger):
    heard = []

    def ended(sweep, seconds, failure):
        heard.append((row(ledger)[0], seconds >= 0, failure))

    with Sweep(ledger.db, "PIS", ended=ended):
        pass
    assert heard == [("success", True, None)]


@pytest.fixture
def thresholds():
    kept = gc.get_threshold()
    yield
    gc.set_threshold(*kept)


@pytest.mark.parametrize(("young", "meanwhile"), [(700, 50_000), (50_000, 50_000), (1_000_000, 1_000_000), (0, 0)])
def test_python_looks_for_cycles_rarely_until_the_sweep_ends(ledger, thresholds, young, meanwhile):
    gc.set_threshold(young, 10, 10)
    with pytest.raises(ZeroDivisionError), Sweep(ledger.db, "PIS"):
        assert gc.get_threshold() == (meanwhile, 10, 10)
        raise ZeroDivisionError
    assert gc.get_threshold() == (young, 10, 10)


def test_of_two_sweeps_of_a_process_neither_leaves_it_looking_rarely(ledger, thresholds):
    gc.set_threshold(700, 10, 10)
    first, second = Sweep(ledger.db, "PIS"), Sweep(ledger.db, "PAG")
    with first:
        second.__enter__()
    second.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 10, 10)
