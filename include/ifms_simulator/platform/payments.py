"""Payments: create, search, update (digit-services.md §3). What is written can be found only after a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ifms_simulator.platform.bills import Bills
from ifms_simulator.platform.envelope import Call, ServiceError, any_of, page_of, tenant_of, texts
from ifms_simulator.platform.ids import Ids
from ifms_simulator.platform.state import STATE_TENANT, State
from ifms_simulator.store import dump, load

STATUSES = ("INITIATED", "SUCCESSFUL", "FAILED", "PARTIAL", "CANCELLED")
REFERENCE_STATUSES = (
    "PAYMENT_INITIATED",
    "PAYMENT_PARTIAL",
    "PAYMENT_FAILED",
    "PAYMENT_SUCCESS",
    "PAYMENT_ERROR_PROCESSING_PAYMENT",
    "PAYMENT_INSUFFICIENT_FUNDS",
    "PAYMENT_SERVER_UNREACHABLE",
    "PAYMENT_DECLINED",
)
_UNPAGED = -1


class Payments:
    """The payments of all cities."""

    def __init__(self, state: State, bills: Bills, ids: Ids) -> None:
        self._state = state
        self._store = state.store
        self._bills = bills
        self._ids = ids

    def create(self, call: Call) -> dict[str, Any]:
        """POST expense/payment/v1/_create."""
        user = call.user["uuid"]
        payment = self.made(_payment_of(call), user)
        self._state.send("payment", payment)
        self._state.send("bills", payment)
        return {"ResponseInfo": call.response_info(), "payments": [payment]}

    def made(self, payment: dict[str, Any], user: str) -> dict[str, Any]:
        """The payment with its ids, number and first states. Raises ServiceError when it does not fit its bills."""
        self._check(payment)
        now = self._state.now_ms()
        audit = {"createdBy": user, "createdTime": now, "lastModifiedBy": user, "lastModifiedTime": now}
        for level in _levels(payment):
            level.update(id=self._state.new_id("payment"), status="INITIATED", auditDetails=audit)
        payment["referenceStatus"] = "PAYMENT_INITIATED"
        payment["paymentNumber"] = self._ids.next("expense.payment.number", STATE_TENANT)[0]
        payment.setdefault("additionalDetails", None)
        return payment

    def persist(self, kind: str, payment: dict[str, Any]) -> None:
        """What the persister does with a write that has arrived."""
        if kind == "bills":
            self._bills.follow(payment)
        elif kind == "payment":
            self._store.run(
                "INSERT INTO payment VALUES (?, ?, ?, ?, ?, ?)",
                payment["id"],
                payment["tenantId"],
                payment["paymentNumber"],
                payment["status"],
                payment["referenceStatus"],
                dump(payment),
            )
            paid = [(bill["billId"], payment["id"]) for bill in payment["bills"]]
            self._store.run_many("INSERT INTO paid_bill VALUES (?, ?)", paid)
        else:
            self._store.run(
                "UPDATE payment SET status = ?, document = ? WHERE id = ?",
                payment["status"],
                dump(payment),
                payment["id"],
            )

    def search(self, call: Call) -> dict[str, Any]:
        """POST expense/payment/v1/_search; the limit is not cut."""
        _ = call.user
        criteria = call.criteria("paymentCriteria", "EG_PAYMENT_SEARCH_ERROR")
        where, values = ["tenant = ?"], [tenant_of(criteria)]
        for column, wanted in (("id", texts(criteria, "ids")), ("number", texts(criteria, "paymentNumbers"))):
            if wanted:
                where.append(any_of(column, wanted))
                values += wanted
        bills = texts(criteria, "billIds")
        if bills:
            where.append(f"id IN (SELECT payment FROM paid_bill WHERE {any_of('bill', bills)})")
            values += bills
        for column, name in (("status", "status"), ("reference_status", "referenceStatus")):
            if criteria.get(name) is not None:
                where.append(f"{column} = ?")
                values.append(criteria[name])
        limit, offset = page_of(call.body.get("pagination"), offset_name="offSet", default=100, most=None)
        rows = self._store.rows(
            f"SELECT document FROM payment WHERE {' AND '.join(where)} ORDER BY id LIMIT ? OFFSET ?",
            *values,
            max(limit, _UNPAGED),
            offset,
        )
        return {"ResponseInfo": call.response_info(), "payments": [load(row["document"]) for row in rows]}

    def update(self, call: Call) -> dict[str, Any]:
        """POST expense/payment/v1/_update: statuses only, matched by the payment's own row ids.

        The reply echoes the request, referenceStatus too, though that one is not kept.
        """
        user, given = call.user["uuid"], _payment_of(call)
        _check_update(given)
        row = self._store.row("SELECT document FROM payment WHERE id = ?", given["id"])
        if row is None:
            raise ServiceError(("EG_EXPENSE_PAYMENT_UPDATE_ERROR", "Payment id is invalid"))
        payment = load(row["document"])
        statuses = {level.get("id"): level["status"] for level in _levels(given)}
        for level in _levels(payment):
            level["status"] = statuses.get(level["id"], level["status"])
        audit = payment["auditDetails"]
        payment["auditDetails"] = {**audit, "lastModifiedBy": user, "lastModifiedTime": self._state.now_ms()}
        self._state.send("payment-update", payment)
        self._state.send("bills", payment)
        return {"ResponseInfo": call.response_info(), "payments": [given]}

    def _check(self, payment: Mapping[str, Any]) -> None:
        tenant = tenant_of(payment)
        ids = [bill.get("billId") for bill in payment.get("bills") or []]
        if not ids or not all(isinstance(each, str) for each in ids):
            raise ServiceError(("EG_PAYMENT_INVALID_BILLS_ERROR", "The payment names no bills"))
        if len(set(ids)) != len(ids):
            raise ServiceError(("EG_PAYMENT_DUPLICATE_BILLS_ERROR", "The payment names a bill twice"))
        if self._store.row(f"SELECT 1 FROM paid_bill WHERE {any_of('bill', ids)}", *ids) is not None:
            raise ServiceError(("EG_PAYMENT_DUPLICATE_PAYMENT_ERROR", "A payment exists for the given bills"))
        bills = self._bills.active(ids, tenant)
        missing = [each for each in ids if each not in bills]
        if missing:
            raise ServiceError(("EG_PAYMENT_INVALID_BILLS_ERROR", f"Invalid bills: {', '.join(missing)}"))
        errors = list(_disagreements(payment, bills))
        if errors:
            raise ServiceError(*errors)

    def seed(self, payment: dict[str, Any], user: str) -> dict[str, Any]:
        """Keep a payment at once, as if it had been created a while ago."""
        payment = self.made(payment, user)
        self.persist("payment", payment)
        self.persist("bills", payment)
        return payment

    def put(self, order: Mapping[str, Any]) -> None:
        """Give a payment, or parts of it, a status, as a person on the platform does. Raises ValueError."""
        row = self._store.row("SELECT document FROM payment WHERE number = ?", order["paymentNumber"])
        if row is None or order["status"] not in STATUSES:
            raise ValueError(f"no payment {order['paymentNumber']}, or no status {order['status']}")
        payment = load(row["document"])
        parts = {*order.get("lines", ()), *order.get("details", ())}
        for level in [payment] if order.get("headerOnly") else list(_levels(payment)):
            if not parts or parts & {level.get("lineItemId"), level.get("billDetailId")}:
                level["status"] = order["status"]
        self.persist("payment-update", payment)
        self.persist("bills", payment)

    def listed(self) -> list[dict[str, Any]]:
        """All payments, for the control endpoint."""
        return [load(row["document"]) for row in self._store.rows("SELECT document FROM payment ORDER BY number")]


def payment_for(bill: Mapping[str, Any]) -> dict[str, Any]:
    """The whole payment of one bill, as a caller would ask for it."""
    return {
        "tenantId": bill["tenantId"],
        "netPayableAmount": bill["totalAmount"],
        "netPaidAmount": bill["totalAmount"],
        "bills": [
            {
                "billId": bill["id"],
                "tenantId": bill["tenantId"],
                "totalAmount": bill["totalAmount"],
                "totalPaidAmount": bill["totalAmount"],
                "billDetails": [
                    {
                        "billDetailId": detail["id"],
                        "tenantId": bill["tenantId"],
                        "totalAmount": detail["totalAmount"],
                        "totalPaidAmount": detail["totalAmount"],
                        "payableLineItems": [
                            {"lineItemId": line["id"], "tenantId": bill["tenantId"], "paidAmount": line["amount"]}
                            for line in detail["payableLineItems"]
                        ],
                    }
                    for detail in bill["billDetails"]
                ],
            }
        ],
    }


def _payment_of(call: Call) -> dict[str, Any]:
    payment = call.body.get("payment")
    if not isinstance(payment, dict):
        raise ServiceError(("EG_EXPENSE_PAYMENT_ERROR", "payment is mandatory"))
    return payment


def _levels(payment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The payment itself, then each of its bills, details and lines."""
    yield payment
    for bill in payment.get("bills") or []:
        yield bill
        for detail in bill.get("billDetails") or []:
            yield detail
            yield from detail.get("payableLineItems") or []


def _check_update(payment: dict[str, Any]) -> None:
    if not payment.get("id"):
        raise ServiceError(("EG_EXPENSE_PAYMENT_UPDATE_ERROR", "Payment id is mandatory for an update"))
    if not payment.get("status"):
        raise ServiceError(("EG_PAYMENT_UPDATE_STATUS_NOTNULL", "Payment status is mandatory for an update"))
    if not all(level.get("status") for level in _levels(payment)):
        raise ServiceError(("EG_EXPENSE_PAYMENT_UPDATE_STATUS_NOTNULL", "Every level needs a status"))
    unknown = {level["status"] for level in _levels(payment)} - set(STATUSES)
    if unknown or payment.get("referenceStatus") not in (None, *REFERENCE_STATUSES):
        raise ServiceError(("HttpMessageNotReadableException", "JSON parse error: unknown status"))


def _owed(row: Mapping[str, Any], total: str, paid: str) -> Decimal:
    return _amount(row.get(total)) - _amount(row.get(paid))


def _amount(value: object) -> Decimal:
    return Decimal(str(value)) if isinstance(value, int | Decimal) and not isinstance(value, bool) else Decimal(0)


def _disagreements(payment: Mapping[str, Any], bills: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each place where the payment is not exactly what its bills still owe."""
    owed = sum((_owed(bill, "totalAmount", "totalPaidAmount") for bill in bills.values()), Decimal(0))
    if _amount(payment.get("netPayableAmount")) != owed or _amount(payment.get("netPaidAmount")) != owed:
        yield "EG_PAYMENT_INVALID_PAYMENT_ERROR", f"The payment's amounts are not {owed}"
    for number, paid in enumerate(payment["bills"]):
        bill = bills[paid["billId"]]
        if _amount(paid.get("totalPaidAmount")) != _owed(bill, "totalAmount", "totalPaidAmount"):
            yield f"EG_EXPENSE_PAYMENT_INVALID_BILL[{number}]", "The amount is not what the bill still owes"
        details = {detail["id"]: detail for detail in bill["billDetails"]}
        lines = {line["id"]: line for detail in bill["billDetails"] for line in detail["payableLineItems"]}
        for place, given in enumerate(paid.get("billDetails") or []):
            detail = details.get(given.get("billDetailId"))
            if detail is None:
                yield f"EG_EXPENSE_PAYMENT_INVALID_BILL_DETAIL[{place}]", "The bill detail is not the bill's"
            elif _amount(given.get("totalPaidAmount")) != _owed(detail, "totalAmount", "totalPaidAmount"):
                yield f"EG_EXPENSE_PAYMENT_BILLDETAIL_INVALID_AMOUNT[{place}]", "The amount is not what is still owed"
            for position, item in enumerate(given.get("payableLineItems") or []):
                line = lines.get(item.get("lineItemId"))
                if line is None:
                    yield f"EG_EXPENSE_PAYMENT_INVALID_LINEITEM[{position}]", "The line item is not the bill's"
                elif _amount(item.get("paidAmount")) != _owed(line, "amount", "paidAmount"):
                    yield f"EG_EXPENSE_PAYMENT_LINEITEM_INVALID_AMOUNT[{position}]", "The amount is not what is owed"
