"""Which hosts this installation may speak to: said by the environment alone, so that nobody who edits connections can.

An operator may edit connections, and whoever they lead to is sent passwords, account numbers and payment instructions.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import Field

from ifms.errors import ConfigurationError, HostNotAllowedError
from ifms.settings import FromEnvironment

ALLOWED = "IFMS_ALLOWED_HOSTS"
"""Environment variable: `host` or `host:port`, separated by commas or blanks. This machine itself need not be there."""
PLAIN_HTTP = "IFMS_PLATFORM_HTTP_HOSTS"
"""Environment variable: the platform's hosts that may be spoken to by plain http; they are allowed by that, too."""

_SCHEME_PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^\s/@\[\]:]+)(?::(?P<port>\d{1,5}))?", re.IGNORECASE)


class _Setting(FromEnvironment):
    allowed: str = Field("", validation_alias=ALLOWED)
    plain_http: str = Field("", validation_alias=PLAIN_HTTP)


@dataclass(frozen=True, order=True)
class Address:
    """A host, in the one form that all its spellings have, and a port where one is said."""

    host: str
    port: int | None = None

    @classmethod
    def of(cls, host: str, port: int | None = None) -> Address:
        """The address of a host's name or number."""
        name = host.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")
        try:
            number = ipaddress.ip_address(name)
        except ValueError:
            return cls(name, port)
        return cls(str(getattr(number, "ipv4_mapped", None) or number), port)

    @classmethod
    def of_url(cls, url: str) -> Address:
        """Where a URL leads, with its scheme's port when it names none. Raises ConfigurationError for what is none."""
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host:
            raise ConfigurationError("an address can't be read as a URL")
        return cls.of(host, port or _SCHEME_PORTS.get(parts.scheme))

    @classmethod
    def of_entry(cls, text: str) -> Address:
        """What a list of hosts says: `host` or `host:port`. Raises ConfigurationError for anything else."""
        found = _ENTRY.fullmatch(text)
        if found is None or (found["port"] and not 0 < int(found["port"]) < 65536):
            raise ConfigurationError(f"{text[:80]!r} is not like host.example or host.example:8443")
        return cls.of(found["host"], int(found["port"]) if found["port"] else None)

    @property
    def this_machine(self) -> bool:
        """Whether it is a loopback address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def check_allowed(addresses: Iterable[Address]) -> None:
    """Raise HostNotAllowedError unless each is this machine, or named in the environment with or without its port."""
    setting = _Setting.read()
    allowed = _entries(ALLOWED, setting.allowed) | _entries(PLAIN_HTTP, setting.plain_http)
    refused = {
        each for each in addresses if not (each.this_machine or each in allowed or Address(each.host) in allowed)
    }
    if refused:
        raise HostNotAllowedError(
            f"{', '.join(map(str, sorted(refused, key=str)))[:300]} is no host that this installation may speak to: "
            f"let {ALLOWED} name it, in the environment of Airflow's processes"
        )


def check_plain_http(hosts: Iterable[str]) -> None:
    """Raise HostNotAllowedError for a host of the platform that is spoken to by http, and is none of those that may."""
    allowed = {each.host for each in _entries(PLAIN_HTTP, _Setting.read().plain_http)}
    if refused := sorted(host for host in hosts if Address.of(host).host not in allowed):
        raise HostNotAllowedError(
            f"{', '.join(refused)} would be spoken to by plain http, with account numbers in clear: use https, or let "
            f"{PLAIN_HTTP}, in the environment of Airflow's processes, name the host"
        )


def _entries(name: str, text: str) -> frozenset[Address]:
    try:
        return frozenset(Address.of_entry(each) for each in text.replace(",", " ").split())
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None
