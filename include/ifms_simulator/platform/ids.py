"""The id generator (digit-services.md §9): one global sequence per name, not per city, not per financial year."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ifms.clock import financial_year, financial_year_label, to_ist
from ifms_simulator.platform.envelope import Call, ServiceError
from ifms_simulator.platform.masters import Masters
from ifms_simulator.platform.state import STATE_TENANT, State

_PART = re.compile(r"\[([^\]]+)\]")


class Ids:
    """Numbers by format."""

    def __init__(self, state: State, masters: Masters) -> None:
        self._state = state
        self._masters = masters

    def generate(self, call: Call) -> dict[str, Any]:
        """POST egov-idgen/id/_generate: one id per request, or `count` of them, in order.

        An error is answered with HTTP 200, Errors and no idResponses.
        """
        _ = call.info
        requests = call.body.get("idRequests")
        if not isinstance(requests, list) or not requests:
            raise ServiceError(("IDGEN_ERROR", "idRequests is mandatory"), status=200)
        if "errors" in call.rules:
            options = call.rules["errors"].options
            code, message = options.get("code", "IDGEN_ERROR"), options.get("message", "Sequence can't be read")
            raise ServiceError((code, message), status=200)
        made = []
        for each in requests:
            name, tenant = each.get("idName"), each.get("tenantId")
            count = int(each.get("count") or 1)
            made += [{"id": new} for new in self.next(str(name), str(tenant), each.get("format"), count)]
        return {"responseInfo": call.response_info(), "idResponses": made}

    def next(self, name: str, tenant: str, layout: str | None = None, count: int = 1) -> list[str]:
        """The next ids of a name. Raises ServiceError for an unknown name or tenant."""
        city = self._masters.city_code(tenant)
        if city is None:
            raise ServiceError(("CITY_CODE_NOT_FOUND", f"No city code for tenant {tenant}"), status=200)
        if layout is None:
            rows = self._masters.rows(STATE_TENANT, "common-masters.IdFormat") or []
            layout = next((row["format"] for row in rows if row["idname"] == name), None)
        if layout is None:
            raise ServiceError(("ID_NOT_FOUND", f"No format is configured for {name}"), status=200)
        today = to_ist(datetime.fromtimestamp(self._state.now(), UTC))

        taken: dict[str, int] = {}

        def part(found: re.Match[str], place: int) -> str:
            match found[1].split(":"):
                case ["CITY.CODE"]:
                    return city
                case ["fy", "yyyy-yy"]:
                    return financial_year_label(financial_year(today.date()))
                case ["cy", "MM"]:
                    return f"{today.month:02d}"
                case ["cy", "dd"]:
                    return f"{today.day:02d}"
                case [sequence] if sequence.startswith("SEQ_"):
                    if sequence not in taken:
                        taken[sequence] = self._state.store.count(f"sequence:{sequence}", count)
                    return f"{taken[sequence] - count + 1 + place:06d}"
                case _:
                    raise ServiceError(("INVALID_FORMAT", f"{found[0]} is not understood"), status=200)

        return [_PART.sub(partial(part, place=place), layout) for place in range(count)]
