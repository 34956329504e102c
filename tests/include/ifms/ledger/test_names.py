"""Names are kept as the master data last had them, and written only when they differ."""

from __future__ import annotations

from support.ledger import Ledger

from ifms.ledger import names


def kept(ledger: Ledger) -> dict[tuple[str, str], str]:
    rows = ledger.db.transact(lambda c: c.execute("SELECT kind, code, name FROM ifms.display_name").fetchall())
    return {(kind, code): name for kind, code, name in rows}


def test_the_latest_name_counts_and_none_keeps_what_is_known(ledger: Ledger):
    ledger.db.transact(lambda c: names.keep(c, {"od.a": " Sample  City ", "od.b": None}, {"001": "First head"}))
    assert kept(ledger) == {("CITY", "od.a"): "Sample City", ("HEAD", "001"): "First head"}
    ledger.db.transact(lambda c: names.keep(c, {"od.a": "Sample Town"}, {"001": "  "}))
    assert kept(ledger) == {("CITY", "od.a"): "Sample Town", ("HEAD", "001"): "First head"}


def test_a_name_that_is_the_same_is_not_written_again(ledger: Ledger):
    versions = []
    for _ in range(2):
        ledger.db.transact(lambda c: names.keep(c, {"od.a": "Sample City"}, {}))
        versions += ledger.db.transact(lambda c: c.execute("SELECT xmin::text FROM ifms.display_name").fetchall())
    assert versions[0] == versions[1]
