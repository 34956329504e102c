"""Bills: expense and calculator searches (digit-services.md §2, §4), and how a payment's state reaches them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ifms_simulator.platform.envelope import LIMIT_MAX, Call, ServiceError, any_of, page_of, tenant_of, texts
from ifms_simulator.platform.state import State
from ifms_simulator.store import dump, load

_WORKFLOW_PAGE = 10
"""The workflow service's own default limit: of a longer page only the first bills get their wfStatus."""

STATUSES = ("ACTIVE", "INACTIVE", "INWORKFLOW", "CANCELLED", "REJECTED")
_SORTED_BY = {"billDate": "created", "createdTime": "created", "billNumber": "number"}


class Bills:
    """The bills of all cities."""

    def __init__(self, state: State) -> None:
        self._store = state.store

    def add(self, bill: Mapping[str, Any], workflow: str, origin: Mapping[str, Any]) -> None:
        """Keep a new bill; `workflow` is its workflow state, `origin` what the calculator knows of it."""
        self._store.run(
            "INSERT INTO bill VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            bill["id"],
            bill["tenantId"],
            bill["billNumber"],
            bill["businessService"],
            bill["referenceId"],
            bill["status"],
            bill["paymentStatus"],
            workflow,
            bill["auditDetails"]["createdTime"],
            dump(origin),
            dump(bill),
        )

    def search(self, call: Call) -> dict[str, Any]:
        """POST expense/bill/v1/_search."""
        _ = call.user
        criteria = call.criteria("billCriteria", "EG_EXPENSE_BILL_SEARCH_ERROR")
        tenant = tenant_of(criteria, "EG_EXPENSE_BILL_SEARCH_ERROR")
        service = criteria.get("businessService")
        ids, references, numbers = (texts(criteria, name) for name in ("ids", "referenceIds", "billNumbers"))
        by_null = criteria.get("isPaymentStatusNull")
        if not (ids or by_null is not None or ((references or numbers) and service)):
            raise ServiceError(
                (
                    "EG_EXPENSE_BILL_SEARCH_ERROR",
                    "ids, or numbers with businessService, are needed",
                )
            )
        where, values = ["tenant = ?"], [tenant]
        for column, wanted in (("id", ids), ("reference", references), ("number", numbers)):
            if wanted:
                where.append(any_of(column, wanted))
                values += wanted
        given = {"service =": service, "status =": criteria.get("status"), "status !=": criteria.get("statusNot")}
        for compared, one in given.items():
            if one is not None:
                where.append(f"{compared} ?")
                values.append(one)
        if by_null is not None:
            where.append(f"payment_status IS {'' if by_null else 'NOT'} NULL")
        pagination = call.body.get("pagination")
        limit, offset = page_of(pagination, offset_name="offSet", default=100, most=LIMIT_MAX)
        condition = " AND ".join(where)
        rows = self._store.rows(
            f"SELECT document, workflow FROM bill WHERE {condition} ORDER BY id{_tie(pagination)} LIMIT ? OFFSET ?",
            *values,
            limit,
            offset,
        )
        total = self._store.row(f"SELECT count(*) AS n FROM bill WHERE {condition}", *values)
        bills = [load(row["document"]) for row in rows]
        for position, (bill, row) in enumerate(zip(bills, rows, strict=True)):
            bill["wfStatus"] = row["workflow"] if position < _WORKFLOW_PAGE else None
        paging = {"limit": limit, "offSet": offset, "totalCount": total["n"] if total else 0}
        return {"ResponseInfo": call.response_info(), "bills": bills, "pagination": paging}

    def calculated(self, call: Call) -> dict[str, Any]:
        """POST expense-calculator/v1/_search; here the offset is spelt `offset`, and the limit is 10 unless given."""
        _ = call.user
        criteria = call.criteria("searchCriteria", "INVALID_SEARCH_CRITERIA")
        tenant = tenant_of(criteria)
        numbers = texts(criteria, "billNumbers")
        limit, offset = page_of(call.body.get("pagination"), offset_name="offset", default=10)
        where, values = "tenant = ?", [tenant]
        if numbers:
            where += f" AND {any_of('number', numbers)}"
            values += numbers
        rows = self._store.rows(
            f"SELECT id, origin, document FROM bill WHERE {where} ORDER BY id LIMIT ? OFFSET ?", *values, limit, offset
        )
        found = [{**load(row["origin"]), "billId": row["id"], "bill": load(row["document"])} for row in rows]
        paging = {"limit": limit, "offset": offset, "totalCount": len(found)}
        return {"responseInfo": call.response_info(), "bills": found, "pagination": paging}

    def active(self, ids: list[str], tenant: str) -> dict[str, dict[str, Any]]:
        """The ACTIVE bills among `ids`, by id."""
        rows = self._store.rows(
            f"SELECT id, document FROM bill WHERE tenant = ? AND status = 'ACTIVE' AND {any_of('id', ids)}",
            tenant,
            *ids,
        )
        return {row["id"]: load(row["document"]) for row in rows}

    def put(self, order: Mapping[str, Any]) -> None:
        """Give a bill, or parts of it, a status, as a person or its workflow does. Raises ValueError."""
        row = self._store.row("SELECT document, workflow FROM bill WHERE number = ?", order["billNumber"])
        if row is None or order["status"] not in STATUSES:
            raise ValueError(f"no bill {order['billNumber']}, or no status {order['status']}")
        bill = load(row["document"])
        parts = {*order.get("lines", ()), *order.get("details", ())}
        for part in (p for d in bill["billDetails"] for p in (d, *d["payableLineItems"])) if parts else (bill,):
            if not parts or part["id"] in parts:
                part["status"] = order["status"]
        self._store.run(
            "UPDATE bill SET status = ?, workflow = ?, document = ? WHERE number = ?",
            bill["status"],
            order.get("wfStatus", row["workflow"]),
            dump(bill),
            order["billNumber"],
        )

    def follow(self, payment: Mapping[str, Any]) -> None:
        """Take over a payment's states: the bill its payment's, details and lines their own; sums are made again."""
        for paid in payment["bills"]:
            row = self._store.row("SELECT document FROM bill WHERE id = ?", paid["billId"])
            if row is None:
                continue
            bill = load(row["document"])
            bill["paymentStatus"] = payment["status"]
            details = {detail["id"]: detail for detail in bill["billDetails"]}
            for paid_detail in paid["billDetails"]:
                _follow_detail(details[paid_detail["billDetailId"]], paid_detail)
            bill["totalPaidAmount"] = sum((detail["totalPaidAmount"] for detail in bill["billDetails"]), Decimal(0))
            self._store.run(
                "UPDATE bill SET payment_status = ?, document = ? WHERE id = ?",
                payment["status"],
                dump(bill),
                bill["id"],
            )


def _follow_detail(detail: dict[str, Any], paid: Mapping[str, Any]) -> None:
    detail["paymentStatus"] = paid["status"]
    lines = {line["id"]: line for line in detail["payableLineItems"]}
    for paid_line in paid["payableLineItems"]:
        line = lines[paid_line["lineItemId"]]
        line["paymentStatus"] = paid_line["status"]
        line["paidAmount"] = line["amount"] if paid_line["status"] == "SUCCESSFUL" else Decimal(0)
    detail["totalPaidAmount"] = sum((line["paidAmount"] for line in detail["payableLineItems"]), Decimal(0))


def _tie(pagination: object) -> str:
    """The sort that a caller asks for: it only breaks ties of the bill id, so it never shows."""
    if not isinstance(pagination, dict) or pagination.get("sortBy") not in _SORTED_BY:
        return ""
    return f", {_SORTED_BY[pagination['sortBy']]} {'DESC' if pagination.get('order') == 'DESC' else 'ASC'}"
