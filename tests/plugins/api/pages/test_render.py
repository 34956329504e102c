"""Amounts, times and masks as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ifms_airflow.api.pages import render


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0", "₹0.00"),
        ("999.5", "₹999.50"),
        ("1000", "₹1,000.00"),
        ("123456", "₹1,23,456.00"),
        ("12345678.9", "₹1,23,45,678.90"),
        ("-1234567.01", "−₹12,34,567.01"),
        ("9999999999999.99", "₹99,99,99,99,99,999.99"),
    ],
)
def test_rupees_in_lakh_and_crore(amount: str, said: str):
    assert render.rupees(Decimal(amount)) == said


def test_masks_show_four_digits_and_the_bank():
    assert render.masked_account("1234") == "********1234"
    assert render.masked_account(None) == "********"


def test_times_are_the_treasurys():
    assert render.when(datetime(2024, 6, 1, 20, tzinfo=UTC)) == "2 Jun 2024, 01:30 IST"
    assert render.when(None) == render.day(None) == render.rupees(None) == "–"
    assert [render.took(timedelta(seconds=s)) for s in (0.25, 61, 3700)] == ["0.2 s", "1 min 1 s", "1 h 1 min"]


def test_every_template_compiles_and_no_tone_is_missing():
    from ifms.ledger.statuses import BeneficiaryStatus, PiStatus

    made = render._environment()
    for name in made.list_templates():
        made.get_template(name)
    assert {render.tone(status) for status in (*PiStatus, *BeneficiaryStatus)} == {"wait", "busy", "good", "bad"}


def test_an_ifsc_is_whole_unless_a_setting_masks_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("IFMS_MASK_IFSC", raising=False)
    assert render.shown_ifsc("ABCD0123412") == "ABCD0123412"
    monkeypatch.setenv("IFMS_MASK_IFSC", "yes")
    assert render.shown_ifsc("ABCD0123412") == "ABCD*****12"


def test_a_day_that_the_treasury_has_written_is_written_as_ours():
    assert render.day_of("2026-11-28") == "28 Nov 2026"
    assert render.day_of("on the 28th") == "on the 28th"
    assert render.day_of(None) is None
