"""What all DIGIT services share: RequestInfo, ResponseInfo, the errors of the tracer, paging (digit-services.md §1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ifms_simulator.rules import Taken
from ifms_simulator.store import Json

LIMIT_MAX = 200


class ServiceError(Exception):
    """A service refuses: one or several (code, message)."""

    def __init__(self, *errors: tuple[str, str], description: str | None = None, status: int = 400) -> None:
        super().__init__("; ".join(f"{code}: {message}" for code, message in errors))
        self.errors: Sequence[tuple[str, str]] = errors
        self.description = description
        self.status = status

    def document(self) -> dict[str, Any]:
        """The error as the tracer writes it."""
        return {
            "ResponseInfo": None,
            "Errors": [
                {"code": code, "message": message, "description": self.description, "params": None}
                for code, message in self.errors
            ],
        }


def unhandled(exception: str, text: str) -> ServiceError:
    """An exception that the service did not expect: its class is the code, its text the description."""
    return ServiceError((exception, "An unhandled exception occurred on the server"), description=text)


@dataclass(frozen=True)
class Call:
    """One call of a service."""

    body: dict[str, Any]
    query: Mapping[str, str] = field(default_factory=dict)
    rules: Taken = field(default_factory=dict)

    @property
    def info(self) -> dict[str, Any]:
        """The RequestInfo. Raises ServiceError when there is none."""
        info = self.body.get("RequestInfo", self.body.get("requestInfo"))
        if not isinstance(info, dict):
            raise ServiceError(("REQUEST_INFO", "Request info is mandatory"))
        return info

    @property
    def user(self) -> dict[str, Any]:
        """The user of the RequestInfo, once RequestInfo is what business services need. Raises ServiceError."""
        message_id = self.info.get("msgId")
        user = self.info.get("userInfo")
        if not isinstance(user, dict):
            raise ServiceError(("USERINFO", "UserInfo is mandatory"))
        if not user.get("uuid"):
            raise ServiceError(("USERINFO_UUID", "UUID is mandatory"))
        if not isinstance(message_id, str) or "|" not in message_id:
            # The locale is taken from what follows the bar, without a look whether there is one.
            raise unhandled("ArrayIndexOutOfBoundsException", "Index 1 out of bounds for length 1")
        return user

    @property
    def roles(self) -> frozenset[str]:
        """The codes of the user's roles."""
        return frozenset(role.get("code", "") for role in self.user.get("roles") or [] if isinstance(role, dict))

    def criteria(self, name: str, code: str) -> dict[str, Any]:
        """The object `name` of the body. Raises ServiceError with `code`."""
        found = self.body.get(name)
        if not isinstance(found, dict):
            raise ServiceError((code, f"{name} is mandatory"))
        return found

    def response_info(self) -> dict[str, Any]:
        """The ResponseInfo of a success."""
        info = self.info
        return {
            "apiId": info.get("apiId"),
            "ver": info.get("ver"),
            "ts": info.get("ts"),
            "resMsgId": "uief87324",
            "msgId": info.get("msgId"),
            "status": "successful",
        }


def tenant_of(criteria: Mapping[str, Any], code: str = "TENANT_ID") -> str:
    """The tenant of search criteria. Raises ServiceError with `code`."""
    tenant = criteria.get("tenantId")
    if not isinstance(tenant, str) or not tenant:
        raise ServiceError((code, "Tenant ID is mandatory"))
    return tenant


def page_of(
    pagination: Json, *, offset_name: str, default: int, missing: int | None = None, most: int | None = LIMIT_MAX
) -> tuple[int, int]:
    """The limit and offset of a pagination object; other spellings of the offset are not seen.

    `default` stands for a missing limit, `missing` for a missing object, `most` is what the limit is cut to.
    """
    if not isinstance(pagination, dict):
        return default if missing is None else missing, 0
    limit, offset = pagination.get("limit"), pagination.get(offset_name)
    limit = default if limit is None else int(limit)
    return limit if most is None else min(limit, most), int(offset or 0)


def texts(criteria: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts in search criteria; empty when it is missing. Raises ServiceError for anything else."""
    value = criteria.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise unhandled("HttpMessageNotReadableException", f"JSON parse error: {name} is not a list of texts")
    return value


def any_of(column: str, values: Sequence[str]) -> str:
    """SQL for `column` being one of so many values, which are then given as parameters."""
    return f"{column} IN ({', '.join('?' * len(values))})"
