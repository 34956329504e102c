"""Calls in worker threads, settled one by one: bounded, and each item for itself, whatever happens in between."""

import threading
import time

import pytest

from ifms.errors import (
    ClaimLostError,
    LedgerError,
    SweepNeedsAttentionError,
    SweepStoppedError,
    TreasuryLoginError,
)
from ifms.sweep.pipeline import AHEAD, TOGETHER, drive
from ifms.sweep.run import Sweep


def items(count, taken=None):
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield number


def run(ledger, count, call, settle=None, *, workers=4, stop=None, taken=None, returned=None):
    sweep = Sweep(ledger.db, "PIS", workers=workers, stop=stop or threading.Event())
    with sweep:
        drive(
            sweep,
            items(count, taken),
            call,
            settle or (lambda item, result: None),
            lambda item: returned.append(item) if returned is not None else None,
        )
    return sweep


def row(ledger):
    return ledger.row("SELECT state, counts, problems, message FROM ifms.sweep_run")


def test_every_item_is_called_and_settled_in_this_thread(ledger):
    settled, threads = [], set()

    def settle(item, result):
        settled.append((item, result))
        threads.add(threading.current_thread())

    run(ledger, 50, lambda item: item * 2, settle)
    assert sorted(settled) == [(number, number * 2) for number in range(50)]
    assert threads == {threading.current_thread()}
    assert row(ledger)[:2] == ("success", {"done": 50})


def test_no_more_calls_than_workers_and_few_items_ahead(ledger):
    lock, running, most, ahead, taken, done = threading.Lock(), [0], [0], [0], [], []

    def call(item):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.002)
        with lock:
            running[0] -= 1
        return item

    def settle(item, result):
        done.append(item)
        ahead[0] = max(ahead[0], len(taken) - len(done))

    run(ledger, 200, call, settle, taken=taken)
    assert most[0] == 4
    assert ahead[0] <= 4 * AHEAD


def test_one_item_s_typed_error_is_its_own_problem(ledger):
    def settle(item, result):
        if item == 3:
            raise LedgerError("sample refusal of item 3")
        if item == 4:
            raise ClaimLostError("item 4 was taken over")

    with pytest.raises(SweepNeedsAttentionError, match="sample refusal of item 3"):
        run(ledger, 10, lambda item: item, settle)
    state, counts, problems, message = row(ledger)
    assert (state, counts["done"], counts["claim_lost"], counts["problems"]) == ("failed", 8, 1, 1)
    assert problems == ["sample refusal of item 3"]
    assert "SweepNeedsAttentionError" in message


def test_an_error_that_is_nobody_s_ends_the_sweep_and_gives_back_the_rest(ledger):
    returned, taken = [], []

    def call(item):
        if item == 5:
            raise TreasuryLoginError("sample: refused")
        time.sleep(0.01)
        return item

    with pytest.raises(TreasuryLoginError):
        run(ledger, 1000, call, taken=taken, returned=returned)
    assert len(taken) < 50
    assert 5 in returned
    assert row(ledger)[0] == "failed"


def test_an_error_of_the_source_ends_the_sweep_after_what_is_under_way(ledger):
    settled, returned = [], []

    def source():
        yield 1
        yield 2
        raise LedgerError("sample: the next batch could not be claimed")

    sweep = Sweep(ledger.db, "PIS", workers=2)
    with pytest.raises(LedgerError, match="could not be claimed"), sweep:
        drive(sweep, source(), lambda item: item, lambda item, result: settled.append(item), returned.append)
    assert sorted(settled + returned) == [1, 2]


def test_told_to_stop_it_makes_no_new_call_and_settles_those_under_way(ledger):
    stop, called, settled, returned = threading.Event(), [], [], []

    def call(item):
        called.append(item)
        if len(called) == 4:
            stop.set()
        time.sleep(0.05)
        return item

    with pytest.raises(SweepStoppedError):
        run(ledger, 1000, call, lambda item, result: settled.append(item), stop=stop, returned=returned)
    assert sorted(settled) == sorted(called)
    assert not set(called) & set(returned)
    assert len(called) <= 8


def test_what_piles_up_is_settled_together_and_the_rest_of_it_one_by_one(ledger):
    """All come back at once; item 3 can't be settled with others, and they are looked at in two turns at least."""
    together, alone, back, all_there = [], [], [], threading.Barrier(40)

    def call(item):
        all_there.wait(timeout=120)
        back.append(item)
        return -item

    def until_all_are_back():
        while len(back) < 40:
            time.sleep(0.01)
        time.sleep(0.2)  # until the last of them has said so

    def settle(item, result):
        until_all_are_back()
        alone.append((item, result))

    def settle_together(answers):
        until_all_are_back()
        together.append([item for item, _ in answers if item != 3])
        return [(item, result) for item, result in answers if item == 3]

    sweep = Sweep(ledger.db, "PIS", workers=40)
    with sweep:
        drive(sweep, items(40), call, settle, lambda item: None, settle_together)
    assert sorted([*(item for item, _ in alone), *(item for each in together for item in each)]) == list(range(40))
    assert all(result == -item for item, result in alone)
    assert (3, -3) in alone
    assert len(alone) < 4, "but for item 3, only what was alone in its turn"
    assert max(map(len, together)) == TOGETHER
    assert sweep.counts == {"done": 40}
