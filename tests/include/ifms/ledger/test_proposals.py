"""Which acts need a second person, as the environment says it and the database keeps it."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from support.databases import as_worker

from ifms.errors import BadInputError, ConfigurationError, ConflictError, SecondPersonError
from ifms.ledger import proposals
from ifms.ledger.migrate import migrate
from ifms.ledger.proposals import ABOVE, ACTS, DAYS, SINGLE, Act, Policy

LIMITED = {Act.CORRECTION, Act.RESUBMISSION}


def test_unset_all_acts_need_one_and_a_limit_none():
    said = Policy.of({})
    assert {act for act in Act if said.needs(act, Decimal(10**9))} == set(Act) - LIMITED
    assert (said.proposal_days, said.single_person) == (7, False)


def test_with_a_limit_what_is_above_it_needs_one():
    said = Policy.of({ABOVE: "50000"})
    for act in LIMITED:
        assert not said.needs(act, Decimal(50000))
        assert said.needs(act, Decimal("50000.01"))


@pytest.mark.parametrize(("text", "acts"), [("none", set()), ("settle, phrase", {"settle", "phrase"})])
def test_the_acts_that_are_named(text: str, acts: set[str]):
    assert set(Policy.of({ACTS: text}).acts) == acts


@pytest.mark.parametrize(
    ("name", "text"),
    [(ACTS, "settle, cancle"), (ABOVE, "-1"), (ABOVE, "1e5"), (DAYS, "0"), (DAYS, "91"), (SINGLE, "yes")],
)
def test_what_can_not_be_read_is_named(name: str, text: str):
    with pytest.raises(ConfigurationError, match=name):
        Policy.of({name: text})


def test_a_ledger_needs_two_for_all_of_them_before_anything_is_said(ledger_dsn: str):
    with psycopg.connect(ledger_dsn) as owner:
        [said] = owner.execute(
            "SELECT column_default FROM information_schema.columns "
            "WHERE (table_name, column_name) = ('second_person', 'acts')"
        ).fetchone() or [""]
    assert said == "'{" + ",".join(Act) + "}'::text[]"


def test_migrating_says_it_in_the_ledger(ledger_dsn: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(ACTS, "settle")
    monkeypatch.setenv(ABOVE, "1000")
    monkeypatch.setenv(DAYS, "3")
    monkeypatch.setenv(SINGLE, "true")
    migrate(ledger_dsn)
    with psycopg.connect(as_worker(ledger_dsn)) as worker:
        assert proposals.policy(worker) == Policy(["settle"], Decimal(1000), 3, single_person=True)
    monkeypatch.setenv(ACTS, "settel")
    with pytest.raises(ConfigurationError, match=ACTS):
        migrate(ledger_dsn)


def test_a_proposal_lasts_as_long_as_the_setting_says(ledger_dsn: str):
    with psycopg.connect(ledger_dsn) as owner:
        proposals.say_policy(owner, Policy(proposal_days=3))
    with psycopg.connect(as_worker(ledger_dsn)) as worker:
        made = proposals.propose(worker, Act.RELEASE, "EP/1", {}, tenant_id="od.samplea", reason="asked", person="asha")
        assert (made.expires_at - made.proposed_at).total_seconds() == pytest.approx(3 * 24 * 3600)
        with pytest.raises(BadInputError, match="needs a reason"):
            proposals.propose(worker, Act.RELEASE, "EP/2", {}, tenant_id=None, reason="asked", person=" ")


@pytest.mark.parametrize("of", ["its column", "its parameters"])
def test_who_may_read_other_cities_alone_does_not_find_it(ledger_dsn: str, of: str):
    """A release is for all cities to approve, and names payees of one."""
    from ifms.cities import Cities

    given, tenant = ({}, "od.samplea") if of == "its column" else ({"tenant": "od.samplea"}, None)
    with psycopg.connect(as_worker(ledger_dsn)) as worker:
        made = proposals.propose(worker, Act.RELEASE, "EP/1", given, tenant_id=tenant, reason="asked", person="asha")
        for cities, found in ((Cities.of("od.samplea"), 1), (Cities.of("od.sampleb"), 0), (Cities.ALL, 1)):
            assert len(proposals.listed(worker, cities, undecided=True)) == found
            assert (proposals.find(worker, made.id, cities) is not None) == bool(found)
        of_all = proposals.propose(
            worker, Act.PHRASE, "Sample words", {}, tenant_id=None, reason="asked", person="asha"
        )
        assert proposals.find(worker, of_all.id, Cities.of("od.sampleb")) is not None


def test_one_number_may_wait_for_each_of_two_cities(ledger_dsn: str):
    """Payments of two cities may have one number."""
    with psycopg.connect(as_worker(ledger_dsn)) as worker:
        made = {
            city: proposals.propose(
                worker, Act.RELEASE, "EP/1", {"tenant": city}, tenant_id=None, reason="asked", person="asha"
            ).id
            for city in ("od.samplea", "od.sampleb")
        }
        with pytest.raises(ConflictError, match="has proposed this of EP/1 already"):
            proposals.propose(
                worker, Act.RELEASE, "EP/1", {"tenant": "od.samplea"}, tenant_id=None, reason="asked", person="ravi"
            )
        proposals.approve(worker, made["od.sampleb"], "ravi")
        for city, approved in (("od.samplea", None), ("od.sampleb", made["od.sampleb"])):
            assert proposals.approved_of(worker, Act.RELEASE, "EP/1", {"tenant": city}) == approved


def test_an_act_that_fails_is_over(ledger_dsn: str):
    with psycopg.connect(ledger_dsn) as owner:
        proposals.say_policy(owner, Policy())
    with psycopg.connect(as_worker(ledger_dsn)) as worker:
        given = {"tenant_id": "od.samplea", "reason": "asked", "person": "asha"}
        made = proposals.propose(worker, Act.REPAYMENT, "PI/1", {}, **given)
        proposals.fail(worker, made.id, "not approved yet")
        assert proposals.find(worker, made.id).failed_at is None
        proposals.approve(worker, made.id, "ravi")
        assert proposals.approved_of(worker, Act.REPAYMENT, "PI/1", {}) == made.id
        proposals.fail(worker, made.id, "it moved on")
        assert proposals.find(worker, made.id).result == "it moved on"
        with pytest.raises(SecondPersonError, match="used up"):
            proposals.use(worker, Act.REPAYMENT, "PI/1", {}, made.id)
