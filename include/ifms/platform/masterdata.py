"""The master data of one run: read once, then asked as often as needed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ifms.errors import BadInputError
from ifms.platform.models import City, HeadCode, HeadOfAccount, SpendingUnit

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CityList:
    """The cities of a run, without the state itself."""

    cities: tuple[City, ...]

    def city(self, tenant_id: str) -> City:
        """Return the city. Raises BadInputError if the run doesn't know it."""
        for city in self.cities:
            if city.tenant_id == tenant_id:
                return city
        raise BadInputError(f"{tenant_id!r} is none of the {len(self.cities)} cities of this run")


@dataclass(frozen=True, slots=True)
class MasterData(CityList):
    """Cities, active heads of account by sequence, head codes, active units per tenant.

    A tenant without an active spending unit has an empty tuple in `units`; so has one whose units the platform could
    not give, and `problems` says why.
    """

    heads: tuple[HeadOfAccount, ...]
    head_codes: Mapping[str, HeadCode]
    units: Mapping[str, tuple[SpendingUnit, ...]]
    problems: Mapping[str, str] = field(default_factory=dict)


def heads_in_order(heads: Iterable[HeadOfAccount]) -> tuple[HeadOfAccount, ...]:
    """Return the active heads of account in the order in which their funds are tried."""
    return tuple(sorted((head for head in heads if head.active), key=lambda head: (head.sequence, head.code)))


def head_codes_by_code(rows: Iterable[HeadCode]) -> Mapping[str, HeadCode]:
    """Return one head code per code.

    The master repeats a code for several kinds of bill (LC for wages and for purchase, digit-services.md §10). What
    matters here is the category, so rows that agree on it (in any case of letters) count as one, and an active row
    stands for the others. An inactive code is still known: bills outlive it. If the active rows of a code (or, where
    none is active, its rows) disagree, the code is left out with a warning: whether the payee or a department gets
    the money can't be guessed, and the bills that use the code are refused by name.
    """
    by_code: dict[str, list[HeadCode]] = {}
    for row in rows:
        by_code.setdefault(row.code, []).append(row)
    chosen: dict[str, HeadCode] = {}
    for code, same in by_code.items():
        decisive = [row for row in same if row.active] or same
        categories = sorted({row.category.lower() for row in decisive})
        if len(categories) == 1:
            chosen[code] = decisive[0]
        else:
            _log.warning("head code %s is left out: its rows say %s", code, " and ".join(categories))
    return MappingProxyType(chosen)
