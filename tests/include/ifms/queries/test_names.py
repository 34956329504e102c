"""Names for pages: by name, the code beside it, and the code alone where nobody knows a name."""

from __future__ import annotations

from support.ledger import Ledger

from ifms.ledger.names import keep
from ifms.queries import names


def test_what_has_no_name_is_called_by_its_code(ledger: Ledger):
    ledger.db.transact(lambda c: keep(c, {"od.b": "Alpha", "od.a": "Alpha"}, {"002": "Sample head"}))
    known = ledger.db.transact(names.read)
    assert (known.city("od.a"), known.city("od.z")) == ("Alpha", "od.z")
    assert (known.head("002"), known.head("009")) == ("Sample head", "009")
    assert known.city_choices(["od.z", "od.b", "od.a"]) == [
        ("od.a", "Alpha (od.a)"),
        ("od.b", "Alpha (od.b)"),
        ("od.z", "od.z"),
    ]
    assert known.head_choices(["001"]) == [("001", "001"), ("002", "Sample head (002)")]
