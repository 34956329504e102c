"""Which part of the work a sweep takes: some cities, some days, one shard of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ifms.errors import BadInputError
from ifms.platform.masterdata import CityList

LEAST_SHARE = 8  # below that, claiming costs more than it spreads


@dataclass(frozen=True)
class Scope:
    """All cities and all days unless said otherwise.

    `since` (included) and `until` (excluded) are instants; what they are compared with is each service's own: the
    creation of a PI, of a payment, of a bill. Sweeps that claim rows share them without regard to the shard; those
    that must ask a city first take every `shards`-th one. `pi_numbers` and `payments` (numbers) narrow a sweep of PIs
    to these, `bills` (numbers) a sweep of bills; an empty tuple is none, not all.
    """

    tenants: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    shard: int = 0
    shards: int = 1
    pi_numbers: tuple[str, ...] | None = None
    payments: tuple[str, ...] | None = None
    bills: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.shard < self.shards:
            raise BadInputError(f"shard {self.shard} is none of {self.shards} (they count from 0)")
        if self.since and self.until and self.since >= self.until:
            raise BadInputError(f"the period from {self.since} to {self.until} ends before it starts")

    def cities(self, known: CityList) -> Sequence[str]:
        """The tenant ids that this shard has to ask.

        Raises BadInputError for a tenant that is none of `known`.
        """
        for tenant in self.tenants or ():
            known.city(tenant)
        wanted = [c.tenant_id for c in known.cities if self.tenants is None or c.tenant_id in self.tenants]
        return wanted[self.shard :: self.shards]

    def share(self, batch: int) -> int:
        """How many rows of a batch this shard claims at a time, so that the others find some in a short queue."""
        return max(min(batch, LEAST_SHARE), batch // self.shards)

    @property
    def tenant_list(self) -> list[str] | None:
        """The cities as a claim's condition."""
        return None if self.tenants is None else list(self.tenants)

    @property
    def narrowing(self) -> dict[str, list[str] | None]:
        """The PIs and payments as a claim's conditions."""
        return {
            "pi_numbers": None if self.pi_numbers is None else list(self.pi_numbers),
            "payments": None if self.payments is None else list(self.payments),
        }

    def covers(self, instant: datetime) -> bool:
        """Whether `instant` lies in the period."""
        return (self.since is None or instant >= self.since) and (self.until is None or instant < self.until)
