"""Where the DIGIT services are and how they are spoken to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from ifms.errors import ConfigurationError

# digit-services.md §1 (bill to localisation) and §13 (user): the name used in a connection and in errors, the path.
DEFAULT_PATHS: Mapping[str, str] = MappingProxyType(
    {
        "bill_search": "expense/bill/v1/_search",
        "payment_search": "expense/payment/v1/_search",
        "payment_create": "expense/payment/v1/_create",
        "payment_update": "expense/payment/v1/_update",
        "calculator_search": "expense-calculator/v1/_search",
        "bank_account_search": "bankaccount-service/bankaccount/v1/_search",
        "individual_search": "individual/v1/_search",
        "organisation_search": "org-services/organisation/v1/_search",
        "audit_search": "audit-service/log/v1/_search",
        "id_generate": "egov-idgen/id/_generate",
        "mdms_search": "egov-mdms-service/v1/_search",
        "decrypt": "egov-enc-service/crypto/v1/_decrypt",
        "localisation_search": "localization/messages/v1/_search",
        "user_search": "user/v1/_search",
        "user_details": "user/_details",
    }
)

_LOCALE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")
MAX_BILL_PAGE = (
    200  # the expense service clamps larger pages (digit-services.md §2), which would look like the last one
)


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """One DIGIT platform, as a connection describes it.

    `services` overrides, by the names of `DEFAULT_PATHS`, a service's whole address (`http://expense:8080/path`), its
    host (`http://expense:8080`, with the default path) or its path (`expense/v2/_search`, at `base_url`).
    `timeout_seconds` is the deadline of one call, from connecting to the reply's last byte. `bill_page_size` above 10
    is safe but costs calls: see `PlatformClient.bills_to_pay`. `city_locales` names the locale of cities (by tenant)
    whose SMS are in another one than `locale`.

    Raises ConfigurationError for a value that can't work. Plain http is the caller's to refuse: see `http_hosts`.
    """

    base_url: str
    state_tenant: str = "od"
    system_user: str = "IFMS_CRONJOB"
    auth_token: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30
    services: Mapping[str, str] = field(default_factory=dict)
    bill_page_size: int = 10
    locale: str = "en_IN"
    city_locales: Mapping[str, str] = field(default_factory=dict)
    pi_id_name: str = "ifms.pi.reference.number"
    correction_id_name: str = "ifms.repi.reference.number"
    beneficiary_id_name: str = "ifms.benef.reference.number"

    def __post_init__(self) -> None:
        _check_url(self.base_url, "the platform's base URL")
        for name in (
            "state_tenant",
            "system_user",
            "locale",
            "pi_id_name",
            "correction_id_name",
            "beneficiary_id_name",
        ):
            value = getattr(self, name)
            if not isinstance(value, str) or not value or value != value.strip():
                raise ConfigurationError(f"{name} {value!r} is not a text, is empty, or has blanks around it")
        if not 0 < self.timeout_seconds <= 600:
            raise ConfigurationError(f"timeout_seconds {self.timeout_seconds} is not between 0 and 600")
        if not 1 <= self.bill_page_size <= MAX_BILL_PAGE:
            raise ConfigurationError(f"bill_page_size {self.bill_page_size} is not between 1 and {MAX_BILL_PAGE}")
        if not isinstance(self.services, Mapping):
            raise ConfigurationError("services is not a mapping of a service's name to its address")
        if unknown := sorted(set(self.services) - set(DEFAULT_PATHS)):
            raise ConfigurationError(
                f"services names {', '.join(unknown)}, which is none of {', '.join(sorted(DEFAULT_PATHS))}"
            )
        for name, override in self.services.items():
            if not isinstance(override, str) or not override or any(blank in override for blank in " \t\r\n"):
                raise ConfigurationError(f"the override of service {name} is not a text, is empty, or holds blanks")
            if "://" in override:
                _check_url(override, f"the override of service {name}")
        object.__setattr__(self, "services", MappingProxyType(dict(self.services)))
        if not isinstance(self.city_locales, Mapping):
            raise ConfigurationError("city_locales is not a mapping of a city's tenant to its locale")
        for tenant, locale in self.city_locales.items():
            if not isinstance(locale, str) or not _LOCALE.fullmatch(locale):
                raise ConfigurationError(f"the locale of {tenant} in city_locales is none such as en_IN")
        object.__setattr__(self, "city_locales", MappingProxyType(dict(self.city_locales)))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The URLs of all hosts that are spoken to."""
        return (self.base_url, *(url for url in self.services.values() if "://" in url))

    @property
    def http_hosts(self) -> frozenset[str]:
        """The hosts that are spoken to by plain http: account numbers and the token pass to them in clear."""
        return frozenset(url.hostname or "" for url in map(urlsplit, self.addresses) if url.scheme == "http")

    def locale_of(self, tenant_id: str) -> str:
        """The locale of a city's own texts."""
        return self.city_locales.get(tenant_id, self.locale)

    def url(self, service: str) -> str:
        """Return the whole address of `service`, a name of `DEFAULT_PATHS`."""
        override = self.services.get(service, "")
        path = DEFAULT_PATHS[service]
        if "://" not in override:
            return _join(self.base_url, override or path)
        return override if urlsplit(override).path.strip("/") else _join(override, path)


def _join(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path.lstrip('/')}"


def _check_url(url: str, what: str) -> None:
    """Raise ConfigurationError unless `url` can be used; its text is never quoted, it may hold a password."""
    try:
        parts = urlsplit(url)
        port_is_readable = parts.port is None or parts.port > 0
    except ValueError:
        raise ConfigurationError(f"{what} can't be read as a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_readable:
        raise ConfigurationError(f"{what} must begin with http:// or https:// and name a host")
    if _leads_nowhere(parts.hostname):
        raise ConfigurationError(f"{what} has a host where no service is (link-local, unspecified or multicast)")
    if "@" in parts.netloc:
        raise ConfigurationError(f"{what} holds credentials; put a token in auth_token instead")
    if parts.query or parts.fragment or any(blank in url for blank in " \t\r\n"):
        raise ConfigurationError(f"{what} must have no query, fragment or blank")


def _leads_nowhere(host: str) -> bool:
    """Whether `host` is an address that no service has: a cloud's metadata service answers on a link-local one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_unspecified or address.is_multicast
