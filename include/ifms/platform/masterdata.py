"""The master data of one run: read once, then asked as often as needed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from ifms.errors import BadInputError
from ifms.platform.models import City, HeadCode, HeadOfAccount, SpendingUnit
from ifms.platform.replies import UnreadRow

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CityList:
    """The cities of a run, without the state itself.

    `unread` says of each row in use of the state's masters that can't be read which it is and what is wrong with it: a
    problem of the run, and no more than that for whom it does not concern.
    """

    cities: tuple[City, ...]
    unread: tuple[str, ...] = field(default=(), kw_only=True)

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
    not give, or of whose units in use one can't be read, and `problems` says why. `unread_head` is the first head of
    account in the order, of those in use, that can't be read.
    """

    heads: tuple[HeadOfAccount, ...]
    head_codes: Mapping[str, HeadCode]
    units: Mapping[str, tuple[SpendingUnit, ...]]
    problems: Mapping[str, str] = field(default_factory=dict)
    unread_head: UnreadHead | None = field(default=None, kw_only=True)

    @property
    def paying(self) -> tuple[HeadOfAccount, ...]:
        """The heads of account that may pay: those that come before any that can't be read.

        What comes after it might pay what that one should: which sanction is charged is not decided by a row that is
        spoiled, so what has no other head waits.
        """
        stop = self.unread_head
        return self.heads if stop is None else tuple(head for head in self.heads if _place(head) < stop.place)

    def sources(self, tenant: str) -> list[tuple[str, str, str]]:
        """DDO, grantee and head of account of the sanctions that may pay a city's bills, in the order to try."""
        units = self.units.get(tenant, ())
        return [(unit.ddo_code, unit.grantee_ag_code, head.code) for head in self.paying for unit in units]

    @property
    def why_not_paying(self) -> str:
        """Why other heads of account can't pay: nothing, or the one that can't be read."""
        if self.unread_head is None:
            return ""
        return f"no head of account from this one on pays until its master data are mended: {self.unread_head.fault}"


@dataclass(frozen=True, slots=True)
class UnreadHead:
    """A head of account that can't be read: its place in the order, the first when it names none."""

    place: tuple[float, str]
    fault: str


def heads_in_order(heads: Iterable[HeadOfAccount]) -> tuple[HeadOfAccount, ...]:
    """Return the active heads of account in the order in which their funds are tried."""
    return tuple(sorted((head for head in heads if head.active), key=_place))


def first_unread_head(unread: Iterable[UnreadRow]) -> UnreadHead | None:
    """Return the first in the order, of those in use; one whose sequence can't be read may be the first of all."""
    found = [UnreadHead(_place_of(row), row.fault) for row in unread if row.is_active]
    return min(found, key=lambda head: head.place, default=None)


def _place(head: HeadOfAccount) -> tuple[float, str]:
    return head.sequence, head.code


_SEQUENCE = TypeAdapter(int)


def _place_of(unread: UnreadRow) -> tuple[float, str]:
    code = unread.row.get("code")
    try:
        return _SEQUENCE.validate_python(unread.row.get("sequence")), code if isinstance(code, str) else ""
    except ValidationError:
        return float("-inf"), ""


def head_codes_by_code(rows: Iterable[HeadCode], unread: Iterable[UnreadRow] = ()) -> Mapping[str, HeadCode]:
    """Return one head code per code.

    The master repeats a code for several kinds of bill (LC for wages and for purchase, digit-services.md §10). What
    matters here is the category, so rows that agree on it (in any case of letters) count as one, and an active row
    stands for the others. An inactive code is still known: bills outlive it. If the active rows of a code (or, where
    none is active, its rows) disagree, or one of them can't be read, the code is left out with a warning: whether the
    payee or a department gets the money can't be guessed, and the bills that use the code are refused by name.
    """
    spoiled: dict[str, list[UnreadRow]] = {}
    for each in unread:
        spoiled.setdefault(str(each.row.get("code")), []).append(each)
    by_code: dict[str, list[HeadCode]] = {}
    for row in rows:
        by_code.setdefault(row.code, []).append(row)
    chosen: dict[str, HeadCode] = {}
    for code, same in by_code.items():
        decisive = [row for row in same if row.active] or same
        categories = sorted({row.category.lower() for row in decisive})
        bad = [row for row in spoiled.get(code, []) if row.is_active or not decisive[0].active]
        if bad:
            _log.warning("head code %s is left out: %s", code, bad[0].fault)
        elif len(categories) == 1:
            chosen[code] = decisive[0]
        else:
            _log.warning("head code %s is left out: its rows say %s", code, " and ".join(categories))
    return MappingProxyType(chosen)
