"""Bank accounts with their masking, and the audit log of their changes (digit-services.md §5, §7, §8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ifms_simulator.platform.cipher import PLAIN_ROLES, Cipher, masked
from ifms_simulator.platform.envelope import LIMIT_MAX, Call, ServiceError, any_of, page_of, tenant_of, texts
from ifms_simulator.platform.state import State
from ifms_simulator.store import dump, load

SHOWN = ("plain", "masked", "undecrypted")
"""How a search shows an account number to a role that may see it: right, or wrong on purpose."""

_AUDIT_DELAY_MS = 20
_AUDIT_DEFAULT, _AUDIT_MAX = 10, 30


class Accounts:
    """The bank accounts of payees and departments."""

    def __init__(self, state: State, cipher: Cipher) -> None:
        self._state = state
        self._store = state.store
        self._cipher = cipher

    def search(self, call: Call) -> dict[str, Any]:
        """POST bankaccount-service/bankaccount/v1/_search: newest change first."""
        plain = bool(call.roles & PLAIN_ROLES)
        criteria = call.criteria("bankAccountDetails", "BANK_ACCOUNTS_SEARCH_CRITERIA_REQUEST")
        where, values = ["tenant = ?"], [tenant_of(criteria)]
        for column, name in (("reference", "referenceId"), ("id", "ids")):
            wanted = texts(criteria, name)
            if wanted:
                where.append(any_of(column, wanted))
                values += wanted
        if criteria.get("serviceCode"):
            where.append("service = ?")
            values.append(criteria["serviceCode"])
        dropped = _named(call, "drop_account")
        rows = self._store.rows(
            f"SELECT document, shown, reference FROM account WHERE {' AND '.join(where)} ORDER BY modified DESC, id",
            *values,
        )
        kept = []
        for row in rows:
            account = load(row["document"])
            details = [each for each in account["bankAccountDetails"] if self._fits(each, criteria)]
            if details and row["reference"] not in dropped:
                kept.append((row, {**account, "bankAccountDetails": details}))
        limit, offset = page_of(call.body.get("pagination"), offset_name="offSet", default=10, most=LIMIT_MAX)
        hidden = _named(call, "mask_account")
        found = []
        for row, account in kept[offset : offset + limit]:
            shown = "masked" if not plain or row["reference"] in hidden else row["shown"]
            details = [self._shown(each, shown) for each in account["bankAccountDetails"]]
            found.append({**account, "bankAccountDetails": details})
        paging = {"limit": limit, "offSet": offset, "totalCount": len(kept)}
        return {"ResponseInfo": call.response_info(), "bankAccounts": found, "pagination": paging}

    def _fits(self, detail: Mapping[str, Any], criteria: Mapping[str, Any]) -> bool:
        for name in ("isActive", "isPrimary"):  # both are true unless the caller says otherwise
            wanted = criteria.get(name)
            if detail[name] != (True if wanted is None else wanted):
                return False
        branch = criteria.get("bankBranchIdentifierCode") or {}
        if branch.get("code") and branch["code"] != detail["bankBranchIdentifier"]["code"]:
            return False
        numbers, holder = texts(criteria, "accountNumber"), criteria.get("accountHolderName")
        if numbers and self._cipher.decrypt(detail["accountNumber"]) not in numbers:
            return False
        return not holder or self._cipher.decrypt(detail["accountHolderName"]) == holder

    def _shown(self, detail: Mapping[str, Any], shown: str) -> dict[str, Any]:
        number, name = detail["accountNumber"], detail["accountHolderName"]
        if shown == "undecrypted":
            return {**detail, "accountHolderName": self._cipher.decrypt(name)}
        number, name = self._cipher.decrypt(number), self._cipher.decrypt(name)
        if shown == "masked":
            number, name = masked(number), masked(name)
        return {**detail, "accountNumber": number, "accountHolderName": name}

    def add(
        self,
        tenant: str,
        reference: str,
        service: str,
        holder: str,
        number: str,
        ifsc: str,
        *,
        shown: str = "plain",
        active: bool = True,
        created: int | None = None,
    ) -> dict[str, Any]:
        """Keep a new account of a payee; the numbers are stored encrypted. `created` in epoch milliseconds."""
        now = self._state.now_ms() if created is None else created
        audit = _audit(now, now)
        account: dict[str, Any] = {
            "id": self._state.new_id("account"),
            "tenantId": tenant,
            "serviceCode": service,
            "referenceId": reference,
            "bankAccountDetails": [
                {
                    "id": self._state.new_id("account-detail"),
                    "tenantId": tenant,
                    "accountHolderName": self._cipher.encrypt(tenant, holder),
                    "accountNumber": self._cipher.encrypt(tenant, number),
                    "accountType": "SAVINGS",
                    "isPrimary": True,
                    "isActive": active,
                    "bankBranchIdentifier": {
                        "id": self._state.new_id("branch"),
                        "type": "IFSC",
                        "code": ifsc,
                        "additionalDetails": None,
                    },
                    "documents": [],
                    "additionalFields": None,
                    "auditDetails": audit,
                }
            ],
            "additionalFields": None,
            "auditDetails": audit,
        }
        self._store.run(
            "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?)",
            account["id"],
            tenant,
            reference,
            service,
            now,
            shown,
            dump(account),
        )
        self._log(account, "CREATE", now)
        return account

    def change(self, tenant: str, reference: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change a payee's account through the control endpoint: accountNumber, ifsc, isActive, shown.

        The changes of number and branch go to the audit log. Raises ValueError.
        """
        row = self._store.row(
            "SELECT id, document, shown FROM account WHERE tenant = ? AND reference = ?", tenant, reference
        )
        if row is None:
            raise ValueError(f"{reference} has no account in {tenant}")
        shown = given.get("shown", row["shown"])
        if shown not in SHOWN:
            raise ValueError(f"shown {shown!r} is not one of {', '.join(SHOWN)}")
        account: dict[str, Any] = load(row["document"])
        now = self._state.now_ms()
        detail = account["bankAccountDetails"][0]
        if "accountNumber" in given:
            detail["accountNumber"] = self._cipher.encrypt(tenant, given["accountNumber"])
        if "ifsc" in given:
            detail["bankBranchIdentifier"]["code"] = given["ifsc"]
        detail["isActive"] = bool(given.get("isActive", detail["isActive"]))
        created = account["auditDetails"]["createdTime"]
        account["auditDetails"] = detail["auditDetails"] = _audit(created, now)
        with self._store.transaction():
            self._store.run(
                "UPDATE account SET modified = ?, shown = ?, document = ? WHERE id = ?",
                now,
                shown,
                dump(account),
                row["id"],
            )
            self._log(account, "UPDATE", now)
        return {"id": account["id"], "referenceId": reference}

    def _log(self, account: Mapping[str, Any], operation: str, when: int) -> None:
        """One audit row per table of the service; the change date is a little after the change."""
        detail = account["bankAccountDetails"][0]
        branch = detail["bankBranchIdentifier"]
        names = ("id", "accountNumber", "accountHolderName", "accountType", "isPrimary", "isActive")
        tables: tuple[tuple[str, dict[str, Any]], ...] = (
            ("eg_bank_account", {"id": account["id"], "referenceId": account["referenceId"]}),
            ("eg_bank_account_detail", {name: detail[name] for name in names}),
            ("eg_bank_accounts_doc", {}),
            ("eg_bank_branch_identifier", {"id": branch["id"], "code": branch["code"], "type": branch["type"]}),
        )
        for table, values in tables:
            row = {
                "id": self._state.new_id("audit"),
                "userUUID": account["auditDetails"]["lastModifiedBy"],
                "module": "BAS",
                "tenantId": account["tenantId"],
                "transactionCode": account["referenceId"],
                "changeDate": when + _AUDIT_DELAY_MS,
                "entityName": table,
                "objectId": account["id"],
                "auditCorrelationId": None,
                "keyValueMap": values,
                "operationType": operation,
                "integrityHash": None,
            }
            self._store.run(
                "INSERT INTO audit VALUES (?, ?, ?, ?)", row["id"], account["tenantId"], account["id"], dump(row)
            )

    def audit(self, call: Call) -> dict[str, Any]:
        """POST audit-service/log/v1/_search: at most 30 rows, in no order that means anything."""
        _ = call.info
        tenant, account = call.query.get("tenantId"), call.query.get("objectId")
        if not tenant or not account:
            raise ServiceError(("EG_AUDIT_LOGS_SEARCH_ERR", "Tenant id and object id are mandatory"))
        limit = min(int(call.query.get("limit", _AUDIT_DEFAULT)), _AUDIT_MAX)
        rows = self._store.rows(
            # The ids are hashes, so this order is stable from page to page and tells nothing of time.
            "SELECT document FROM audit WHERE tenant = ? AND object = ? ORDER BY id LIMIT ? OFFSET ?",
            tenant,
            account,
            limit,
            int(call.query.get("offset", 0)),
        )
        return {"responseInfo": None, "AuditLogs": [load(row["document"]) for row in rows]}


def _named(call: Call, effect: str) -> frozenset[str]:
    rule = call.rules.get(effect)
    return frozenset() if rule is None else frozenset(rule.options.get("payees", ()))


def _audit(created: int, modified: int) -> dict[str, Any]:
    user = "sample-account-officer"
    return {"createdBy": user, "createdTime": created, "lastModifiedBy": user, "lastModifiedTime": modified}
