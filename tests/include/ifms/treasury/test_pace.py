"""Every HTTP call waits for its turn, and what gets none is not sent."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from ifms.errors import TreasuryStoppedError, TreasuryUnreachableError
from ifms.treasury.client import TreasuryClient
from ifms.treasury.outcome import Answered, NeverSent, Unknown
from ifms.wire.pis import PisRequest

REQUEST = PisRequest(
    jit_bill_no="PI-TE/2024-25/000001", jit_bill_date=datetime(2024, 10, 28, 12, tzinfo=UTC), ssu_ia_id="1621"
)
NO_SESSION = "No valid session encryption key found for the user"


@dataclass
class Turns:
    """Gives so many turns, and says why there are no more."""

    left: int
    untils: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def wait(self, until: float) -> str | None:
        self.untils.append(until)
        self.left -= 1
        return None if self.left >= 0 else "sample: no turn"


@pytest.fixture
def paced(config):
    """`paced(turns)`: a client with so many turns."""
    made = []

    def make(turns):
        made.append(TreasuryClient(config(), pace=turns, login_pauses_seconds=()))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_each_call_and_each_login_takes_a_turn(treasury, paced):
    turns = Turns(10)
    client = paced(turns)
    assert isinstance(client.call(REQUEST), Answered)
    assert len(turns.untils) == 2
    treasury.script.append(lambda talk: talk.reply({"errorMsg": NO_SESSION, "data": []}))
    assert isinstance(client.call(REQUEST), Answered)
    assert len(turns.untils) == 5, "the refused call, a login, the call again"


def test_without_a_turn_nothing_is_sent(treasury, paced):
    client = paced(Turns(1))
    outcome = client.call(REQUEST, until=time.monotonic() + 60)
    assert outcome == NeverSent("sample: no turn", ())
    assert (treasury.logins, treasury.requests) == (1, [])


def test_a_login_without_a_turn_is_a_treasury_out_of_reach(treasury, paced):
    with pytest.raises(TreasuryUnreachableError, match="no login: sample: no turn"):
        paced(Turns(0)).call(REQUEST)
    assert treasury.login_attempts == 0


def test_a_login_that_a_stopped_sweep_does_not_make_is_not_tried_again(treasury, config):
    turns = Turns(0)
    turns.stop.set()
    with TreasuryClient(config(), pace=turns) as client, pytest.raises(TreasuryStoppedError):
        client.call(REQUEST)
    assert len(turns.untils) == 1
    assert treasury.login_attempts == 0


def test_after_a_lost_session_a_call_without_a_turn_is_unknown_for_its_first_half_was_sent(treasury, paced):
    treasury.script.append(lambda talk: talk.reply({"errorMsg": NO_SESSION, "data": []}))
    outcome = paced(Turns(3)).call(REQUEST)
    assert isinstance(outcome, Unknown)
    assert "sample: no turn" in outcome.reason
    assert len(outcome.exchanges) == len(treasury.requests) == 1


def test_a_call_that_begins_too_late_is_not_sent_and_its_turn_is_asked_for_until_then(treasury, paced):
    turns = Turns(10)
    client = paced(turns)
    client.login()
    past = time.monotonic() - 0.001
    assert client.call(REQUEST, until=past) == NeverSent(
        "this sweep had fallen behind its lease: left to the next one", ()
    )
    assert turns.untils[-1] == past
    assert treasury.requests == []
