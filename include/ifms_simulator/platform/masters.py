"""Master data (MDMS) and message texts (digit-services.md §10, §12), from the files in `ifms_simulator/data`."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

from ifms_simulator.platform.envelope import Call, ServiceError, tenant_of
from ifms_simulator.platform.state import STATE_TENANT, State
from ifms_simulator.store import dump, load

_FILTER = re.compile(r"\$?(?:\.\*|\.)*\[\?\(\s*@\.(\w+)\s*==\s*(true|false|'[^']*'|\"[^\"]*\"|-?\d+)\s*\)\]")


class Masters:
    """The master data of the state tenant and of the first `cities` sample cities."""

    def __init__(self, state: State, cities: int) -> None:
        tenants = _read("tenant_tenants-od")
        if not 1 <= cities < len(tenants):
            raise ValueError(f"cities {cities} is not between 1 and {len(tenants) - 1}")
        self._store = state.store
        kept = tenants[: cities + 1]
        self.cities: list[str] = [row["code"] for row in kept[1:]]
        self._rows: dict[tuple[str, str], list[dict[str, Any]]] = {(STATE_TENANT, "tenant.tenants"): kept}
        for name in _FILES:
            for row in _read(name):
                if row["tenantid"] in (STATE_TENANT, *self.cities):
                    self._rows.setdefault((row["tenantid"], row["schemacode"]), []).append(row["data"])
        for row in _read("localization-en_IN"):
            self._rows.setdefault((STATE_TENANT, _texts(row["module"], row["locale"])), []).append(row)
        for kept_row in self._store.rows("SELECT * FROM master"):
            self._rows[kept_row["tenant"], kept_row["name"]] = load(kept_row["document"])

    def rows(self, tenant: str, name: str) -> list[dict[str, Any]] | None:
        """The rows of `module.master` for a tenant, else of its state; None when there is no such master."""
        own = self._rows.get((tenant, name))
        return self._rows.get((tenant.partition(".")[0], name)) if own is None else own

    def replace(self, tenant: str, name: str, rows: list[dict[str, Any]]) -> None:
        """Put other rows in a master's place, for good."""
        self._rows[tenant, name] = rows
        with self._store.transaction():
            self._store.run("INSERT OR REPLACE INTO master VALUES (?, ?, ?)", tenant, name, dump(rows))

    def city_code(self, tenant: str) -> str | None:
        """The code of a tenant's city, or None for an unknown tenant."""
        found = (row for row in self.rows(STATE_TENANT, "tenant.tenants") or [] if row["code"] == tenant)
        return next((str(row["city"]["code"]) for row in found), None)

    def search(self, call: Call) -> dict[str, Any]:
        """POST egov-mdms-service/v1/_search."""
        _ = call.info
        criteria = call.criteria("MdmsCriteria", "INVALID_MDMS_CRITERIA")
        tenant = tenant_of(criteria)
        result: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for module in criteria.get("moduleDetails") or []:
            for master in module.get("masterDetails") or []:
                rows = self.rows(tenant, f"{module['moduleName']}.{master['name']}")
                if rows is not None:
                    kept = _filtered(rows, master.get("filter"))
                    result.setdefault(module["moduleName"], {})[master["name"]] = kept
        return {"ResponseInfo": None, "MdmsRes": result}

    def messages(self, call: Call) -> dict[str, Any]:
        """POST localization/messages/v1/_search; all three query parameters are needed."""
        _ = call.info
        missing = [name for name in ("tenantId", "module", "locale") if not call.query.get(name)]
        if missing:
            raise ServiceError(("MISSING_PARAM", f"{', '.join(missing)} is mandatory"))
        found = self._rows.get((call.query["tenantId"], _texts(call.query["module"], call.query["locale"])))
        return {"messages": found or []}

    def replace_messages(self, module: str, locale: str, texts: dict[str, str]) -> None:
        """Put other texts, by code, in the place of a module's in one locale, for good."""
        rows = [{"code": code, "message": text, "module": module, "locale": locale} for code, text in texts.items()]
        self.replace(STATE_TENANT, _texts(module, locale), rows)


def _texts(module: str, locale: str) -> str:
    """Where a module's texts stand among the masters, whose own names have a dot."""
    return f"{module}:{locale}"


def _filtered(rows: list[dict[str, Any]], condition: str | None) -> list[dict[str, Any]]:
    if not condition:
        return rows
    match = _FILTER.fullmatch(condition.strip())
    if match is None:
        raise ServiceError(("INVALID_FILTER", f"the filter {condition} is not understood"))
    name, literal = match.groups()
    wanted = literal[1:-1] if literal[0] in "'\"" else load(literal)
    return [row for row in rows if row.get(name) == wanted and type(row.get(name)) is type(wanted)]


_FILES = (
    "ifms_HeadOfAccounts-od",
    "ifms_SchemeDetails-od",
    "ifms_SSUDetails-od_cities",
    "expense_HeadCodes-od",
    "expense_PaymentInstructionStatus-od",
    "expense_PaymentInstructionType-od",
    "common-masters_IdFormat-od",
)


def _read(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = load((files("ifms_simulator") / "data" / f"{name}.json").read_bytes())
    return rows
