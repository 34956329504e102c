"""The audit: its findings are a sweep's problems, and its anchors are believed only as they were signed."""

import json

import pytest
from support import failed
from support.databases import rewrite
from support.keys import KEYRING

from ifms.errors import BadInputError, SignatureError, SweepNeedsAttentionError
from ifms.ledger.database import Database
from ifms.ledger.session import connect
from ifms.services.audit import anchor_of, audit, read_anchor, write_anchor
from ifms.signing import Signer
from ifms.sweep.run import Sweep

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})
SIGNER = KEYRING.signer


@pytest.fixture
def paid(adapter):
    failed.wage_bill(adapter, 2)
    adapter.cycle()
    return adapter


def audited(adapter, *earlier):
    """The anchor of an audit, and its sweep."""
    with Database(lambda: connect(adapter.dsn)) as db, Sweep(db, "AUDIT") as sweep:
        return audit(sweep, SIGNER, earlier), sweep


def test_each_day_s_anchor_is_of_the_chain_that_the_earlier_ones_are_of(paid):
    first, sweep = audited(paid)
    text = write_anchor(first, SIGNER)
    assert (sweep.counts["chains"], sweep.counts["anchors"], sweep.counts["problems"]) == (2, 0, 0)
    assert sweep.counts["links"] == paid.rows("SELECT count(*) AS n FROM ifms.audit_link")[0]["n"]
    assert read_anchor(text, SIGNER) == first
    paid.run("PIS")
    second, sweep = audited(paid, text)
    assert sweep.counts["anchors"] == 1
    assert second.name > first.name
    assert {head.chain for head in second.heads} == {"", "od.samplea"}


def test_a_chain_that_lost_its_end_is_red(paid):
    text = write_anchor(audited(paid)[0], SIGNER)
    rewrite(
        paid.dsn,
        "DELETE FROM ifms.audit_link WHERE (chain, number) IN "
        "(SELECT chain, max(number) FROM ifms.audit_link GROUP BY chain)",
    )
    with pytest.raises(SweepNeedsAttentionError, match="records_are_linked"):
        audited(paid)
    with pytest.raises(SweepNeedsAttentionError):
        audited(paid, text)
    [row] = paid.rows("SELECT problems FROM ifms.sweep_run WHERE service_id = 'AUDIT' ORDER BY started_at DESC LIMIT 1")
    assert any("chain_is_anchored: link" in problem and "is not there" in problem for problem in row["problems"])


def test_an_anchor_that_is_not_as_it_was_signed_is_red_and_the_records_are_verified_all_the_same(paid):
    content = json.loads(write_anchor(audited(paid)[0], SIGNER))
    content["chains"]["od.samplea"]["number"] += 1
    with pytest.raises(SweepNeedsAttentionError, match="1 problem.*can't be believed: its signature does not fit"):
        audited(paid, json.dumps(content))


def test_an_anchor_of_an_old_key_counts_and_one_of_a_strange_key_does_not(paid):
    with Database(lambda: connect(paid.dsn)) as db:
        anchor = db.read_snapshot(anchor_of)
    text = write_anchor(anchor, Signer(b"o" * 32))
    assert read_anchor(text, Signer(b"n" * 32, [b"o" * 32])) == anchor
    with pytest.raises(SignatureError, match="not at hand"):
        read_anchor(text, Signer(b"n" * 32))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"signature": "zz"}', '{"signature": 1}', "[" * 100_000, '{"signature": "00"}']
)
def test_what_is_no_anchor_is_told_so(text):
    with pytest.raises((BadInputError, SignatureError)):
        read_anchor(text, SIGNER)


def test_a_signature_for_something_else_is_none_of_an_anchor(paid):
    with Database(lambda: connect(paid.dsn)) as db:
        content = json.loads(write_anchor(db.read_snapshot(anchor_of), SIGNER))
    del content["signature"]
    plain = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(SignatureError):
        read_anchor(json.dumps(content | {"signature": SIGNER.sign(plain).hex()}), SIGNER)
