"""Rules that a test adds through a simulator's control endpoint: which calls go wrong, how, and how often."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ifms_simulator.store import Store, dump, load

ANY_SERVICE = "*"
_NAMES = frozenset({"service", "bill_number", "bill_pattern", "times", "effect"})


@dataclass
class Rule:
    """One effect on the calls that it matches.

    `times` is how many calls are left to it (None: no end); `options` are the effect's own fields.
    """

    id: int
    service: str
    effect: str
    bill_number: str | None = None
    bill_pattern: str | None = None
    times: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def matches(self, service: str, subjects: Collection[str]) -> bool:
        """Whether a call of `service` about `subjects` (bill numbers and the like) is meant."""
        if self.service not in (ANY_SERVICE, service):
            return False
        if self.bill_number is not None:
            return self.bill_number in subjects
        if self.bill_pattern is not None:
            return any(re.search(self.bill_pattern, subject) for subject in subjects)
        return True

    def document(self) -> dict[str, Any]:
        """The rule as the control endpoint shows it."""
        named = {"bill_number": self.bill_number, "bill_pattern": self.bill_pattern, "times": self.times}
        given = {name: value for name, value in named.items() if value is not None}
        return {"service": self.service, "effect": self.effect, **given, **self.options}


Taken = Mapping[str, Rule]
"""The rules that one call runs into, by effect."""


class RuleBook:
    """The rules in force, kept in the store. `effects` gives each effect's options, with their types."""

    def __init__(
        self, store: Store, services: Collection[str], effects: Mapping[str, Mapping[str, type | tuple[type, ...]]]
    ) -> None:
        self._store = store
        self._services = frozenset(services) | {ANY_SERVICE}
        self._effects = effects
        self._rules = [
            self._parse(row["id"], load(row["document"])) for row in store.rows("SELECT * FROM rule ORDER BY id")
        ]

    def add(self, document: Mapping[str, Any]) -> Rule:
        """Take a rule in. Raises ValueError when it names a service, an effect or an option that does not exist."""
        rule = self._parse(0, document)
        with self._store.transaction():
            cursor = self._store.run("INSERT INTO rule (document) VALUES (?)", dump(rule.document()))
        rule.id = int(cursor.lastrowid or 0)
        self._rules.append(rule)
        return rule

    def _parse(self, number: int, document: Mapping[str, Any]) -> Rule:
        effect, service, times = document.get("effect", ""), document.get("service", ANY_SERVICE), document.get("times")
        if effect not in self._effects:
            raise ValueError(f"effect {effect!r} is not one of {', '.join(sorted(self._effects))}")
        if service not in self._services:
            raise ValueError(f"service {service!r} is not one of {', '.join(sorted(self._services))}")
        if times is not None and (type(times) is not int or times < 1):
            raise ValueError(f"times {times!r} is not a whole number of 1 or more")
        for name in ("bill_number", "bill_pattern"):
            if not isinstance(document.get(name), str | None):
                raise ValueError(f"{name} is not a text")
        pattern = document.get("bill_pattern")
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"bill_pattern {pattern!r} is not a regular expression: {error}") from error
        options = {name: value for name, value in document.items() if name not in _NAMES}
        known = self._effects[effect]
        for name, value in options.items():
            if name not in known:
                raise ValueError(
                    f"effect {effect} has no option {name!r}; it has: {', '.join(sorted(known)) or 'none'}"
                )
            if not isinstance(value, known[name]):
                raise ValueError(f"option {name} of effect {effect} has a wrong type")
        return Rule(number, service, effect, document.get("bill_number"), pattern, times, options)

    def take(self, service: str, subjects: Collection[str] = ()) -> Taken:
        """The rules for this call, each used up by one; of two with the same effect, the older one only."""
        taken: dict[str, Rule] = {}
        if not self._rules:
            return taken
        for rule in list(self._rules):
            if rule.effect not in taken and rule.matches(service, subjects):
                taken[rule.effect] = rule
                self._use_up(rule)
        return taken

    def _use_up(self, rule: Rule) -> None:
        if rule.times is None:
            return
        rule.times -= 1
        with self._store.transaction():
            if rule.times:
                self._store.run("UPDATE rule SET document = ? WHERE id = ?", dump(rule.document()), rule.id)
            else:
                self._rules.remove(rule)
                self._store.run("DELETE FROM rule WHERE id = ?", rule.id)

    def listed(self) -> list[dict[str, Any]]:
        """All rules in force, oldest first."""
        return [{"id": rule.id, **rule.document()} for rule in self._rules]

    def clear(self, number: int | None = None) -> int:
        """Drop one rule or all; return how many were dropped."""
        dropped = [rule for rule in self._rules if number in (None, rule.id)]
        with self._store.transaction():
            for rule in dropped:
                self._rules.remove(rule)
                self._store.run("DELETE FROM rule WHERE id = ?", rule.id)
        return len(dropped)
