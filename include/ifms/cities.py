"""Whose rows somebody gets: those of all cities, or of some. Every read for a page or the API takes one of these."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True)
class Cities:
    """A set of cities (tenant ids); `names` is None for all of them, those that nobody has heard of yet included."""

    names: frozenset[str] | None

    ALL: ClassVar[Cities]
    NONE: ClassVar[Cities]

    @classmethod
    def of(cls, *tenant_ids: str) -> Self:
        """These and no others."""
        return cls(frozenset(tenant_ids))

    def __contains__(self, tenant_id: object) -> bool:
        return self.names is None or tenant_id in self.names

    def __or__(self, other: Cities) -> Cities:
        if self.names is None or other.names is None:
            return Cities.ALL
        return Cities(self.names | other.names)

    def __bool__(self) -> bool:
        return self.names is None or bool(self.names)

    @property
    def everywhere(self) -> bool:
        """Whether these are all cities."""
        return self.names is None

    @property
    def listed(self) -> list[str] | None:
        """The cities by name; None for all of them: what a statement's parameter is given, see `condition`."""
        return None if self.names is None else sorted(self.names)

    def within(self, tenant_id: str | None) -> Cities:
        """Of these the one that is asked for, if it is one of them; all of these when none is."""
        if tenant_id is None:
            return self
        return Cities.of(tenant_id) if tenant_id in self else Cities.NONE

    def cover(self, tenant_ids: Iterable[str] | None) -> bool:
        """Whether each of these tenants is one of them; None stands for all tenants."""
        if self.names is None:
            return True
        return tenant_ids is not None and self.names.issuperset(tenant_ids)


Cities.ALL = Cities(None)
Cities.NONE = Cities(frozenset())


def condition(column: str) -> str:
    """SQL that is true of rows of the cities in the parameter `cities` (`Cities.listed`)."""
    return f"(%(cities)s::text[] IS NULL OR {column} = ANY(%(cities)s))"


def label(tenant_ids: Sequence[str] | None) -> str:
    """Cities in a file's name: up to three by themselves, more by how many and which set; `all` for None."""
    if tenant_ids is None:
        return "all"
    if len(tenant_ids) <= 3:
        return "-".join(tenant_ids)
    return f"{len(tenant_ids)}-cities-{zlib.crc32(' '.join(tenant_ids).encode()):08x}"
