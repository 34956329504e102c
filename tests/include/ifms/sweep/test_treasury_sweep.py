"""A sweep that calls the treasury: what its outcomes make of its end."""

import pytest
from support.keys import KEYRING

from ifms.errors import SweepNeedsAttentionError, SweepUnreachableError
from ifms.ledger.status_log import CallLog
from ifms.sweep.treasury_sweep import TreasurySweep
from ifms.treasury.outcome import Answered, NeverSent, Rejected, Unknown
from ifms.wire.envelope import Reply, ReplyError


def recorded(ledger, *outcomes, workers=1):
    sweep = TreasurySweep(ledger.db, "PIS", calls=CallLog(KEYRING.sealer), workers=workers)
    with sweep:
        for outcome in outcomes:
            sweep.record_outcome(outcome)
    return sweep


NEVER = NeverSent("refused", ())
LOST = Unknown("timed out", (), understood=True)
GARBLED = Unknown("not base64", (), understood=False)
ANSWER = Answered(Reply("PIS"), ())
REFUSAL = Rejected((ReplyError(None, "sample"),), ())


def test_a_treasury_that_never_answered_makes_it_red(ledger):
    with pytest.raises(SweepUnreachableError, match="none of 1 call"):
        recorded(ledger, LOST)


def test_one_answer_among_lost_ones_leaves_it_green(ledger):
    assert recorded(ledger, LOST, REFUSAL, LOST).counts == {"unknown": 2, "refused": 1}


def test_many_failures_in_a_row_end_it_early(ledger):
    with pytest.raises(SweepUnreachableError, match="4 calls in a row"):
        recorded(ledger, ANSWER, NEVER, LOST, NEVER, LOST, workers=2)


def test_an_answer_in_between_starts_the_count_anew(ledger):
    recorded(ledger, NEVER, NEVER, LOST, ANSWER, NEVER, NEVER, LOST, workers=2)
    assert ledger.row("SELECT state FROM ifms.sweep_run") == ("success",)


def test_garbage_does_not_count_as_out_of_reach(ledger):
    sweep = TreasurySweep(ledger.db, "PIS", calls=CallLog(KEYRING.sealer), workers=1)
    with pytest.raises(SweepNeedsAttentionError), sweep:
        for _ in range(10):
            sweep.record_outcome(GARBLED)
        assert not sweep.stopping
        sweep.add_problem("sample: not base64")
