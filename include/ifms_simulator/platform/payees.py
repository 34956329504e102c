"""Who is paid, and who asks: individuals, organisations, the system user (digit-services.md §6, §13)."""

from __future__ import annotations

from typing import Any

from ifms_simulator.platform.envelope import LIMIT_MAX, Call, ServiceError, any_of, page_of, tenant_of, texts
from ifms_simulator.platform.state import STATE_TENANT, State
from ifms_simulator.store import dump, load

SYSTEM_USER = "IFMS_CRONJOB"
_INDIVIDUAL_MAX = 1000


class Payees:
    """The registries of individuals and organisations, and the user service."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._store = state.store

    def individuals(self, call: Call) -> dict[str, Any]:
        """POST individual/v1/_search: tenantId, offset and limit in the query; a search by id alone is not paged."""
        _ = call.user
        missing = [name for name in ("tenantId", "offset", "limit") if not call.query.get(name)]
        if missing:
            raise unhandled_parameters(missing)
        limit, offset = int(call.query["limit"]), int(call.query["offset"])
        if not 0 <= limit <= _INDIVIDUAL_MAX:
            raise ServiceError(("LIMIT", f"limit must be between 0 and {_INDIVIDUAL_MAX}"))
        criteria = call.criteria("Individual", "INDIVIDUAL_SEARCH")
        ids, paging, values = texts(criteria, "id"), "", [call.query["tenantId"]]
        if ids:
            paging = f" AND {any_of('id', ids)}"
            values += ids
        rows = self._store.rows(
            f"SELECT document FROM individual WHERE tenant = ? AND NOT deleted{paging} ORDER BY id",
            *values,
        )
        found = [load(row["document"]) for row in rows]
        if not ids:
            found = found[offset : offset + limit]
        return {"ResponseInfo": call.response_info(), "Individual": found, "TotalCount": len(found)}

    def organisations(self, call: Call) -> dict[str, Any]:
        """POST org-services/organisation/v1/_search: limit 10 when it is missing, 100 without a Pagination."""
        _ = call.user
        criteria = call.criteria("SearchCriteria", "ORGANISATION")
        mobile = criteria.get("contactMobileNumber")
        where, values = ["1 = 1"], []
        if not mobile or criteria.get("tenantId"):
            where, values = ["tenant = ?"], [tenant_of(criteria)]
        ids = texts(criteria, "id")
        if ids:
            where.append(any_of("id", ids))
            values += ids
        if mobile:
            where.append("mobile = ?")
            values.append(mobile)
        limit, offset = page_of(
            call.body.get("Pagination"), offset_name="offset", default=10, missing=100, most=LIMIT_MAX
        )
        condition = " AND ".join(where)
        rows = self._store.rows(
            f"SELECT document FROM organisation WHERE {condition} ORDER BY id LIMIT ? OFFSET ?", *values, limit, offset
        )
        total = self._store.row(f"SELECT count(*) AS n FROM organisation WHERE {condition}", *values)
        return {
            "ResponseInfo": call.response_info(),
            "organisations": [load(row["document"]) for row in rows],
            "TotalCount": total["n"] if total else 0,
        }

    def users(self, call: Call) -> dict[str, Any]:
        """POST user/v1/_search: the system user by its name."""
        _ = call.info
        tenant = call.body.get("tenantId")
        found = []
        if (tenant, call.body.get("userName")) == (STATE_TENANT, SYSTEM_USER):
            roles = self._state.settings.system_user_roles
            found.append(
                {
                    "id": 1,
                    "uuid": "00000000-0000-4000-8000-000000000001",
                    "userName": SYSTEM_USER,
                    "name": "Sample System User",
                    "type": "SYSTEM",
                    "mobileNumber": "9000000000",
                    "emailId": None,
                    "tenantId": STATE_TENANT,
                    "active": True,
                    "roles": [{"code": code, "name": code.title(), "tenantId": STATE_TENANT} for code in roles],
                }
            )
        return {"responseInfo": call.response_info(), "user": found}

    def user_of_token(self, call: Call) -> dict[str, Any]:
        """POST user/_details: who is logged in with the token in the query; a bare user."""
        user = self._state.settings.user_tokens.get(call.query.get("access_token", ""))
        if user is None:
            raise ServiceError(("InvalidAccessTokenException", "invalid access token"), status=401)
        return {
            "id": 2,
            "name": "Sample User",
            "type": "EMPLOYEE",
            "mobileNumber": "9000000001",
            "emailId": None,
            "tenantId": STATE_TENANT,
            "active": True,
            "roles": [],
            **user,
        }

    def add_individual(self, tenant: str, number: int) -> str:
        """Keep a new individual and return its id."""
        document = {
            "id": self._state.new_id("individual"),
            "individualId": f"IND-2026-04-01-{number:06d}",
            "tenantId": tenant,
            "name": {"givenName": f"Sample Payee {number}", "familyName": None, "otherNames": None},
            "mobileNumber": f"9{number:09d}",
            "address": [
                {"ward": {"code": f"W{number % 20 + 1}"}, "locality": {"code": f"L{number % 50 + 1}"}, "city": tenant}
            ],
            "gender": ("FEMALE", "MALE")[number % 2],
            "additionalFields": {"fields": [{"key": "SOCIAL_CATEGORY", "value": ("GENERAL", "SC", "ST")[number % 3]}]},
            "isDeleted": False,
        }
        self._store.run("INSERT INTO individual VALUES (?, ?, 0, ?)", document["id"], tenant, dump(document))
        return str(document["id"])

    def add_organisation(self, tenant: str, number: int) -> str:
        """Keep a new organisation and return its id."""
        mobile = f"8{number:09d}"
        document = {
            "id": self._state.new_id("organisation"),
            "tenantId": tenant,
            "name": f"Sample Organisation {number}",
            "applicationNumber": f"SR/ORG/{number:06d}",
            "orgNumber": f"ORG-{number:06d}",
            "applicationStatus": "ACTIVE",
            "orgAddress": [{"boundaryCode": f"B{number % 20 + 1}", "city": tenant}],
            "contactDetails": [
                {
                    "contactName": f"Sample Contact {number}",
                    "contactMobileNumber": mobile,
                    "contactEmail": "contact@sample.invalid",
                }
            ],
            "identifiers": [],
            "functions": [],
            "jurisdiction": [],
            "isActive": True,
        }
        self._store.run("INSERT INTO organisation VALUES (?, ?, ?, ?)", document["id"], tenant, mobile, dump(document))
        return str(document["id"])


def unhandled_parameters(names: list[str]) -> ServiceError:
    """The error for query parameters that are needed and not there."""
    text = f"Required request parameter {', '.join(names)} is not present"
    return ServiceError(("MissingServletRequestParameterException", text))
