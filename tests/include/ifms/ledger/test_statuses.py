"""The life of a PI, as data."""

from pathlib import Path

import pytest

from ifms.errors import LedgerError
from ifms.ledger.statuses import TRANSITIONS, BeneficiaryStatus, Event, PiStatus, after, diagram, transition_rows


def test_an_original_that_is_paid_walks_the_contract_s_path():
    status = PiStatus.PENDING
    for event in (Event.ACCEPTED, Event.APPROVED, Event.ADVISED, Event.PAID, Event.SOME_FAILED, Event.SUPERSEDED):
        status = after(status, event)
    assert status is PiStatus.COMPLETED


@pytest.mark.parametrize("status", list(PiStatus))
@pytest.mark.parametrize("event", list(Event))
def test_every_other_event_is_refused(status, event):
    if (status, event) in TRANSITIONS:
        assert after(status, event) is TRANSITIONS[status, event]
    else:
        with pytest.raises(LedgerError, match=f"{status} can't be {event}"):
            after(status, event)


def test_nothing_leaves_failed_or_completed():
    assert not {start for start, _ in TRANSITIONS} & {PiStatus.FAILED, PiStatus.COMPLETED}


def test_a_failed_beneficiary_is_not_revived():
    assert not [row for row in transition_rows() if row[:2] == ("BENEFICIARY", BeneficiaryStatus.FAILED)]


def test_the_diagram_in_the_docs_is_made_from_the_table():
    page = Path(__file__).parents[4] / "docs" / "statuses.md"
    assert f"```mermaid\n{diagram()}\n```" in page.read_text()
