"""How long something may take; that rule and pages go by the same: test_invariants.py."""

from dataclasses import asdict
from datetime import timedelta

import pytest

from ifms.errors import BadInputError
from ifms.ledger.limits import IN_DAYS, Limits


def test_limits_are_set_by_name_in_days():
    limits = Limits(pending=timedelta(hours=2)).with_days({"initiated": 20, "unmatched": 0.5})
    assert limits == Limits(pending=timedelta(hours=2), initiated=timedelta(days=20), unmatched=timedelta(hours=12))
    assert set(IN_DAYS) | {"pending", "returnable", "undelivered", "forgotten"} == set(asdict(Limits()))


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ({"pending": 1}, "'pending' is no limit in days: they are initiated, "),
        ({"Initiated": 1}, "'Initiated' is no limit"),
        *(({"held": value}, "the limit held must be a number of days") for value in (0, -1, 367, "7", None, True)),
        ({"held": float("nan")}, "the limit held"),
    ],
)
def test_what_is_no_limit_is_refused_by_name(days, said):
    with pytest.raises(BadInputError, match=said):
        Limits().with_days(days)
