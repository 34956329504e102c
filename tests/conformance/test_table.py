"""Every cell of the table, against the real adapter, a real PostgreSQL and the simulated treasury and platform."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.table import SERVICES, SITUATIONS, TABLE, TEXTS, Cell, Never, page, texts
from support import figures
from support.adapter import assert_money_is_right

from ifms.wire.pag import PagRow
from ifms.wire.phrasebook import ERRORS, Meaning
from ifms.wire.pis import PisRow

CELLS = [key for key, cell in TABLE.items() if isinstance(cell, Cell)]


@pytest.mark.parametrize(("service", "situation"), CELLS)
def test_cell(scenarios, tmp_path, service, situation):
    with scenarios[service].play(tmp_path) as play:
        seen = play.see(service, situation)
        assert_money_is_right(play.adapter, play.treasury)
        claimed = play.adapter.rows("SELECT id FROM ifms.payment_instruction WHERE claim_token IS NOT NULL")
        assert claimed == [], "every PI is given back"
    expected = TABLE[service, situation]
    assert expected.because in seen.because
    assert (
        Cell(**{name: getattr(seen, name) for name in Cell.__match_args__} | {"because": expected.because}) == expected
    )
    figures.add("conformance cells asserted", 1)


def test_the_table_is_whole():
    assert set(TABLE) == {(service, situation) for service in SERVICES for situation in SITUATIONS}


@pytest.mark.parametrize(("service", "row"), [("PIS", PisRow), ("PAG", PagRow)])
def test_what_can_not_be_has_no_text_to_be_unknown(service, row):
    assert isinstance(TABLE[service, "unknown text"], Never)
    assert not set(TEXTS) & set(row.model_fields)
    can_not_be = [key for key, cell in TABLE.items() if isinstance(cell, Never) and key[1] == "unknown text"]
    assert len(can_not_be) == 2


@pytest.mark.parametrize("service", SERVICES)
def test_only_a_bill_can_be_declined(service):
    assert isinstance(TABLE[service, "declined"], Never) == (service not in ("PI", "COR"))
    assert (Meaning.CONTENT_ERROR in ERRORS.get(service, ())) == (service in ("PI", "COR"))


def test_the_page_in_the_docs_is_made_from_the_table():
    docs = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
    assert page() in docs
    assert docs.endswith(f"{texts()}\n"), "of phrases that are shipped no more nothing is left"
