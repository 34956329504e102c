"""Settings that a control endpoint may change while a simulator runs; a change outlives a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Generic, TypeVar

from ifms_simulator.store import Store

T = TypeVar("T")


class Settings(Generic[T]):
    """The current values (`now`), a frozen-in-shape dataclass of type T that checks itself in `__post_init__`.

    A value changed through `change` is stored, and wins over the one given at the next start.
    """

    def __init__(self, store: Store, given: T) -> None:
        self._store = store
        self._type = type(given)
        self.now = self._checked({**_values(given), **store.stored_settings()})

    def change(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change some values and return all. Raises ValueError for an unknown name or a value that can't be."""
        known = {each.name for each in fields(self._type)}  # type: ignore[arg-type]
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ValueError(f"no setting {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
        self.now = self._checked({**_values(self.now), **changes})
        with self._store.transaction():
            self._store.store_settings(changes)
        return _values(self.now)

    def values(self) -> dict[str, Any]:
        """All values by name."""
        return _values(self.now)

    def _checked(self, values: Mapping[str, Any]) -> T:
        return self._type(**values)


def _values(settings: object) -> dict[str, Any]:
    return asdict(settings)  # type: ignore[call-overload, no-any-return]
