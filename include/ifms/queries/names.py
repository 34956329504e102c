"""Cities and heads of account by name, for pages and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ifms.ledger.database import Connection
from ifms.ledger.names import HEAD


@dataclass(frozen=True)
class Names:
    """The names that are known; what has none is called by its code."""

    cities: Mapping[str, str]
    heads: Mapping[str, str]

    def city(self, code: str) -> str:
        """The city's name."""
        return self.cities.get(code, code)

    def head(self, code: str) -> str:
        """The head of account's name."""
        return self.heads.get(code, code)

    def city_choices(self, codes: Iterable[str]) -> list[tuple[str, str]]:
        """These cities for a form, by name; two of the same name differ by their code."""
        return _choices(codes, self.cities)

    def head_choices(self, codes: Iterable[str]) -> list[tuple[str, str]]:
        """These heads of account and all of the configuration for a form, by name."""
        return _choices({*codes, *self.heads}, self.heads)


NO_NAMES = Names({}, {})


def read(connection: Connection) -> Names:
    """All names: some hundred rows."""
    cities: dict[str, str] = {}
    heads: dict[str, str] = {}
    for kind, code, name in connection.execute("SELECT kind, code, name FROM ifms.display_name").fetchall():
        (heads if kind == HEAD else cities)[code] = name
    return Names(cities, heads)


def _choices(codes: Iterable[str], names: Mapping[str, str]) -> list[tuple[str, str]]:
    shown = [(code, f"{names[code]} ({code})" if code in names else code) for code in codes]
    return sorted(shown, key=lambda each: (each[1].casefold(), each[0]))
