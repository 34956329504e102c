"""What a run came to, in a form that another run can be compared with: whatever differs from run to run is left out.

Left out are ids, times, numbers of attempts, the receipts' texts (a bill found at the treasury later has none), and the
treasury's own numbers, which go by the order of arrival. Numbers that the platform's id service gave have names here:
one that was drawn and never used leaves a gap.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from support.adapter import Adapter, Treasury

MONEY = (
    "sanction",
    "allotment",
    "fund_movement",
    "payment",
    "bill",
    "payment_instruction",
    "beneficiary",
    "va_watermark",
    "reported_failure",
    "other_transfer",
    "closed_failure",
)
VARYING = frozenset(
    {
        "id",
        "payment_id",
        "sweep_run_id",
        "claim_token",
        "attempts",
        "success_code",
        "success_description",
        "error_message",
        "uncertain",
        "refusal",
        "refused_first",
        "absent_since",
        "settled_by",
        "said_absent_at",
        "tries",  # how it came to where it is
        "allotted_after",
        "reserved_after",
        "spent_after",  # of each movement: they go by the order of the movements
    }
)
TOLD = frozenset(
    {
        "pi_approved_id",
        "pi_approval_date",
        "pa_advice_id",
        "pa_advice_date",
        "pa_bill_ref_number",
        "pa_token_number",
        "pa_token_date",
        "org_bill_ref_number",
        "hold_message",
        "voucher_number",
        "utr_number",
        "end_to_end_id",
        "challan_number",
    }
)
"""Columns of which only is compared whether they are filled."""
CLAIMED = ("payment", "payment_instruction", "va_watermark", "outbox")
"""Tables in which nothing may be left claimed; a bill keeps its claim until the claim runs out."""
_SENT_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}")

Books = dict[str, Any]


def books(adapter: Adapter, treasury: Treasury) -> Books:
    """The ledger's money, what the platform must hear, what the treasury has accepted, what the platform was told."""
    payments = adapter.simulators.ask_platform("GET", "state")["payments"]
    payments.sort(key=_pays)
    names = _names(adapter, payments)
    found: Books = {table: _sorted(_row(row) for row in _rows(adapter, table)) for table in MONEY}
    found["transitions"] = _sorted(_transitions(adapter))
    found["outbox"] = _outbox(adapter)
    found["claimed"] = {
        table: len(adapter.rows(f"SELECT 1 FROM ifms.{table} WHERE claim_token IS NOT NULL")) for table in CLAIMED
    }
    state = treasury.state
    for what in ("bills", "corrections"):
        found[f"treasury's {what}"] = _sorted(
            {name: bill[name] for name in ("number", "accepted", "conflicts", "params")}
            | {"rejected": bill["stage"] == "rejected"}  # other stages change by being asked about
            for bill in state[what]
        )
    found["treasury's funds"] = state["funds"]
    found["platform's payments"] = _told(payments)
    return _renamed(found, names)


def differences(ours: Books, expected: Books) -> list[str]:
    """Where the books differ, a line for each thing that only one of them has."""
    said = []
    for part, wanted in expected.items():
        mine = ours[part]
        if mine == wanted:
            continue
        if isinstance(wanted, list):
            have, want = Counter(map(_text, mine)), Counter(map(_text, wanted))
            said += [f"{part}: only in an undisturbed run: {row}" for row in (want - have).elements()]
            said += [f"{part}: only in this one: {row}" for row in (have - want).elements()]
        else:
            said.append(f"{part}: {_text(mine)} instead of {_text(wanted)}")
    return said


def _rows(adapter: Adapter, table: str) -> list[dict[str, Any]]:
    rows = adapter.rows(f"SELECT * FROM ifms.{table}")
    if table == "payment":  # its bills' numbers are known to who has raised it, or has found no way to pay it
        return [{name: value for name, value in row.items() if name != "bill_numbers"} for row in rows]
    return rows


def _row(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in VARYING}
    return {
        name: value is not None if name in TOLD or isinstance(value, datetime | date | bytes) else value
        for name, value in kept.items()
    }


def _transitions(adapter: Adapter) -> Iterator[dict[str, Any]]:
    """The status log's changes; a call that brought nothing may have been made once more."""
    for row in adapter.rows(
        """
        SELECT p.pi_number, l.payment_number, l.from_status, l.to_status FROM ifms.status_log l
        LEFT JOIN ifms.payment_instruction p ON p.id = l.payment_instruction_id
        WHERE l.to_status IS NOT NULL OR p.id IS NULL
        """
    ):
        yield dict(row)


def _outbox(adapter: Adapter) -> dict[str, list[Any]]:
    """What the platform must hear, for each payment in its order, and whether it has."""
    told: dict[str, list[Any]] = defaultdict(list)
    for row in adapter.rows("SELECT * FROM ifms.outbox ORDER BY id"):
        message = {
            "topic": row["topic"],
            "payload": row["payload"],
            "delivered": row["delivered_at"] is not None,
            "set aside": row["set_aside_at"] is not None,
        }
        told[row["ordering_key"]].append(message)
    return dict(sorted(told.items()))


def _told(payments: list[Any]) -> list[Any]:
    """The statuses of the platform's payments, on all their levels."""
    return [
        {
            "number": payment["paymentNumber"],
            "status": payment["status"],
            "ref": payment.get("referenceStatus"),
            "bills": [
                {
                    "bill": bill["billId"],
                    "status": bill["status"],
                    "details": [
                        [
                            detail["status"],
                            [[line["lineItemId"], line["status"]] for line in detail["payableLineItems"]],
                        ]
                        for detail in bill["billDetails"]
                    ],
                }
                for bill in payment["bills"]
            ],
        }
        for payment in payments
    ]


def _pays(payment: Any) -> str:
    """The bills that a payment pays."""
    return ",".join(sorted(bill["billId"] for bill in payment["bills"]))


def _names(adapter: Adapter, payments: list[Any]) -> dict[str, str]:
    """What to call each number and each id: by the payment it belongs to, and the order in it."""
    names: dict[str, str] = {}
    seen: Counter[str] = Counter()

    def name(what: str, label: str) -> None:
        if what not in names:
            seen[label] += 1
            names[what] = f"<{label} {seen[label]}>"

    for payment in payments:
        name(payment["paymentNumber"], f"payment of {_pays(payment)}")
    for row in adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY created_at, id"):
        kind = "REPAYMENT" if row["repayment_of"] else row["pi_type"]
        name(row["pi_number"], f"{kind} of {names[row['payment_number']]}")
        names[str(row["id"])] = names[row["pi_number"]]
    for row in adapter.rows(
        """
        SELECT b.beneficiary_number, b.line_item_ids FROM ifms.beneficiary b
        JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id ORDER BY p.created_at, b.line_item_ids
        """
    ):
        name(row["beneficiary_number"], f"payee of {','.join(row['line_item_ids'])}")
    for row in adapter.rows("SELECT id, master_allotment_id FROM ifms.sanction"):
        names[str(row["id"])] = f"<sanction {row['master_allotment_id']}>"
    for row in adapter.rows("SELECT id, master_allotment_id, ssu_allotment_id, serial_no FROM ifms.allotment"):
        allotment = f"{row['master_allotment_id']}/{row['ssu_allotment_id']}/{row['serial_no']}"
        names[str(row["id"])] = f"<allotment {allotment}>"
    return names


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """`value` with each number replaced by its name, as plain JSON, lists of rows in an order of their own."""
    text = _text(value)
    if names:
        known = re.compile("|".join(re.escape(each) for each in sorted(names, key=len, reverse=True)))
        text = known.sub(lambda found: names[found.group()], text)
    renamed = json.loads(_SENT_AT.sub("<a time>", text))
    return {part: _sorted(rows) if isinstance(rows, list) else rows for part, rows in renamed.items()}


def _sorted(rows: Iterable[Any]) -> list[Any]:
    return sorted((_in_order(row) for row in rows), key=_text)


def _in_order(row: Any) -> Any:
    """A row whose own lists of beneficiaries are in an order that does not hang on their numbers."""
    params = row.get("params") if isinstance(row, dict) else None
    if not isinstance(params, dict):
        return row
    params = {name: sorted(each, key=_text) if isinstance(each, list) else each for name, each in params.items()}
    return row | {"params": params}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
