"""The answers that nobody understands, and the PIs behind them, as pages and commands read them."""

import psycopg
import pytest
from support.failed import wage_bill

from ifms.cities import Cities
from ifms.errors import SweepNeedsAttentionError
from ifms.ledger import phrases
from ifms.queries import unknown_answers
from ifms.queries.unknown_answers import Again

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


@pytest.fixture
def connection(adapter):
    with psycopg.connect(adapter.dsn) as opened:
        yield opened


def test_who_waits_behind_an_answer_and_who_is_asked_about_again(adapter, treasury, connection, monkeypatch):
    assert unknown_answers.not_understood(connection, Cities.ALL) == (0, 0)
    for _ in range(3):
        wage_bill(adapter)
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    connection.commit()
    treasury.rule("PIS", "error", errorMsg="It waits for its SSU")
    with pytest.raises(SweepNeedsAttentionError):
        adapter.run("PIS")
    numbers = [row["pi_number"] for row in adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY 1")]
    [answer] = phrases.unknown_answers(connection)
    assert unknown_answers.behind(connection, [answer.id], Cities.ALL) == {answer.id: numbers}
    assert unknown_answers.behind(connection, [], Cities.ALL) == {}
    assert unknown_answers.not_understood(connection, Cities.ALL) == (1, 3)
    assert unknown_answers.asked_again(connection, Cities.ALL) == {}
    monkeypatch.setattr(unknown_answers, "MOST_SHOWN", 2)
    assert unknown_answers.behind(connection, [answer.id], Cities.ALL) == {answer.id: numbers[:2]}
    phrase, _ = phrases.add_phrase(
        connection, ["PIS"], "It waits for its SSU", "no news", reason="asked", added_by="a tester"
    )
    assert unknown_answers.not_understood(connection, Cities.ALL) == (0, 0)
    assert unknown_answers.asked_again(connection, Cities.ALL) == {
        phrase: [Again("PIS", 3, numbers[:2], ["od.samplea"])]
    }
    connection.commit()
    adapter.run("PIS")
    assert unknown_answers.asked_again(connection, Cities.ALL) == {}


def test_a_pending_one_is_asked_about_by_ifms_pi(adapter, treasury, connection):
    """Whatever service has said it: a PENDING PI is settled by the sweep that sends it."""
    wage_bill(adapter)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "error", errorMsg="The head is frozen")
    with pytest.raises(SweepNeedsAttentionError):
        adapter.run("PI")
    phrase, waiting = phrases.add_phrase(
        connection, ["PI", "COR"], "The head is frozen", "try later", reason="asked", added_by="a tester"
    )
    assert waiting == 1
    [again] = unknown_answers.asked_again(connection, Cities.ALL)[phrase]
    assert (again.service, again.count) == ("PI", 1)


@pytest.mark.parametrize("read", [unknown_answers.not_understood, unknown_answers.asked_again])
def test_all_pis_are_never_looked_through(connection, read):
    """By plan: the few behind an answer are found by their index, however many PIs there are."""
    connection.execute("SET LOCAL enable_seqscan = off")
    said = _plan(connection, read)
    assert "payment_instruction_unknown_answer" in said
    assert "Seq Scan on payment_instruction" not in said


def _plan(connection, read):
    """The plan of the one statement that `read` runs."""
    seen = []

    class Spy:
        def execute(self, statement, values=()):
            seen.append((statement, values))
            return connection.execute(statement, values)

    read(Spy(), Cities.ALL)
    [(statement, values)] = seen
    return "\n".join(row[0] for row in connection.execute(b"EXPLAIN " + statement, values))
