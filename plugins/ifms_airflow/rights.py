"""Who may do what in which city: from the names of roles and groups, and from the setting IFMS_RIGHTS.

DIGIT's roles are per city, Airflow's are not. So a right is a city and an act: `od.samplea:act`; `*` stands for all
cities. A role or group of the auth manager whose name is such a right, with `ifms:` before it, gives it to whoever has
it. The setting gives rights to users, roles and groups by their names, and to roles of DIGIT's in the city where
somebody has them. Nobody else but an administrator gets anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache

from ifms.cities import Cities
from ifms.errors import ConfigurationError

RIGHTS = "IFMS_RIGHTS"
"""Environment variable: `user:NAME = RIGHT …; role:NAME = RIGHT …; group:NAME = RIGHT …; digit:CODE = ACT …`."""
ADMIN_ROLES = "IFMS_ADMIN_ROLES"
"""Environment variable: roles of the auth manager, separated by commas, that have every right; `Admin` when unset."""

_CITY = r"\*|[a-z0-9]+(?:\.[a-z0-9_-]+)*"
_RIGHT = re.compile(rf"(?P<city>{_CITY}):(?P<act>read|act|approve|accounts)", re.ASCII)
_ACT = re.compile(r"read|act|approve|accounts")
_ENTRY = re.compile(r"(?P<kind>user|role|group|digit):(?P<name>[^=]*[^=\s])\s*=\s*(?P<rights>[^=]*)")
_PREFIX = "ifms:"


@dataclass(frozen=True)
class Rights:
    """In which cities somebody may do what; whoever may do anything in a city may read there."""

    read: Cities = Cities.NONE
    act: Cities = Cities.NONE
    """Starts runs, settles, cancels, closes sanctions, asks for payment instructions."""
    approve: Cities = Cities.NONE
    """Says yes to what somebody else has proposed."""
    accounts: Cities = Cities.NONE
    """Sees whole account numbers, of those types that a role of theirs lets them see."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", self.read | self.act | self.approve | self.accounts)

    def __or__(self, other: Rights) -> Rights:
        return Rights(**{each.name: getattr(self, each.name) | getattr(other, each.name) for each in fields(self)})


NOTHING = Rights()
EVERYTHING = Rights(*[Cities.ALL] * len(fields(Rights)))


@dataclass(frozen=True)
class Given:
    """The setting IFMS_RIGHTS, read: rights by the names of users, roles and groups, acts by DIGIT's roles."""

    user: Mapping[str, Rights] = field(default_factory=dict)
    role: Mapping[str, Rights] = field(default_factory=dict)
    group: Mapping[str, Rights] = field(default_factory=dict)
    digit: Mapping[str, frozenset[str]] = field(default_factory=dict)


def mapping() -> Given:
    """The setting. Raises ConfigurationError for what is no mapping."""
    return _read(os.environ.get(RIGHTS, ""))


def of_person(name: str) -> Rights:
    """What the setting gives to the user of this name, whatever their roles: all that a task can know of somebody."""
    return mapping().user.get(name, NOTHING)


def of_user(name: str, roles: Iterable[str], groups: Iterable[str] = ()) -> Rights:
    """The rights of a user of the auth manager. Role and group names are compared without regard to case."""
    given = mapping()
    roles, groups = {each.casefold() for each in roles}, {each.casefold() for each in groups}
    if roles & _admin_roles():
        return EVERYTHING
    found = given.user.get(name, NOTHING)
    for each in roles:
        found |= given.role.get(each, NOTHING)
    for each in groups:
        found |= given.group.get(each, NOTHING)
    for each in roles | {group.removeprefix("/") for group in groups}:
        found |= _named(each)
    return found


def of_digit(roles: Iterable[tuple[str, str]], state_tenant: str) -> Rights:
    """The rights of a user of the platform, by (code, tenant) of each role; one of the state's holds in all cities."""
    given, found = mapping().digit, NOTHING
    for code, tenant in roles:
        where = Cities.ALL if tenant == state_tenant else Cities.of(tenant)
        found |= _in(where, given.get(code.casefold(), frozenset()))
    return found


def _admin_roles() -> set[str]:
    named = os.environ.get(ADMIN_ROLES)
    return {each.strip().casefold() for each in ("Admin" if named is None else named).split(",")} - {""}


def _in(where: Cities, acts: Iterable[str]) -> Rights:
    return Rights(**dict.fromkeys(acts, where))


def _named(name: str) -> Rights:
    """The right that the name of a role or group is; none for any other name."""
    found = _RIGHT.fullmatch(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else None
    return NOTHING if found is None else _right(found)


def _right(found: re.Match[str]) -> Rights:
    where = Cities.ALL if found["city"] == "*" else Cities.of(found["city"])
    return _in(where, [found["act"]])


@lru_cache(maxsize=4)
def _read(text: str) -> Given:
    rights: dict[str, dict[str, Rights]] = {"user": {}, "role": {}, "group": {}}
    digit: dict[str, frozenset[str]] = {}
    for part in filter(None, (each.strip() for each in re.split(r"[;\n]", text))):
        entry = _ENTRY.fullmatch(part)
        if entry is None:
            raise ConfigurationError(f"{RIGHTS}: {part[:80]!r} is not like user:NAME = od.city:act od.other:read")
        kind, words = entry["kind"], entry["rights"].split()
        name = entry["name"].strip() if kind == "user" else entry["name"].strip().casefold()
        if name in (digit if kind == "digit" else rights[kind]):
            raise ConfigurationError(f"{RIGHTS}: {kind}:{name} is there twice")
        if kind == "digit":
            if not all(_ACT.fullmatch(word) for word in words):
                raise ConfigurationError(
                    f"{RIGHTS}: digit:{name} is given something else than read, act, approve, accounts"
                )
            digit[name] = frozenset(words)
            continue
        found = NOTHING
        for word in words:
            right = _RIGHT.fullmatch(word)
            if right is None:
                raise ConfigurationError(f"{RIGHTS}: {kind}:{name} is given {word[:80]!r}, which is no CITY:ACT")
            found |= _right(right)
        rights[kind][name] = found
    return Given(**rights, digit=digit)
