"""What the Java adapter has left: some payments' PIs that FAILED there, whose bills the treasury has or has not.

The rows are those that an import would write (FAILED, of unknown outcome, their payment held back); they are written
here straight into the ledger, as its owner, so that a seed needs no second database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from faults.simulation.books import Books
from faults.simulation.platform import Town
from faults.simulation.treasury import Office
from faults.simulation.world import World
from psycopg import Connection

from ifms.wire.pi import PiBeneficiary, PiRequest
from ifms_simulator.store import load
from ifms_simulator.treasury.messages import opened


@dataclass
class JavaAdapter:
    """The adapter before this one, when it is switched off."""

    world: World
    books: Books
    office: Office
    town: Town

    def hand_over(self, accounts: Mapping[str, str]) -> None:
        """Import a FAILED PI of up to three payments that have none; `accounts` is whose each account number is."""
        waiting = self.books.rows(  # without a sanction nothing is known of the office that is asked about them
            "SELECT * FROM ifms.payment y WHERE paid_by IS NULL"
            " AND EXISTS (SELECT FROM ifms.sanction s WHERE s.tenant_id = y.tenant_id) ORDER BY payment_number"
        )
        numbers = {payee: number for number, payee in accounts.items()}
        bills = {
            bill: payment
            for payment in self.town.platform.payments.listed()
            for bill in (each["billId"] for each in payment["bills"])
        }
        of_payment: dict[str, str] = {payment["paymentNumber"]: bill for bill, payment in bills.items()}
        for payment in waiting[: self.world.random.randrange(1, 4)]:
            bill = of_payment.get(payment["payment_number"])
            if bill is None:
                continue
            row = self.town.platform.state.store.row("SELECT document FROM bill WHERE id = ?", bill)
            assert row is not None
            details = load(row["document"])["billDetails"]
            number = f"PI-JAVA/{payment['payment_number'].replace('/', '-')}"
            there = self.world.chance(0.5) and self._send(number, payment, details, numbers)
            with self.books.person() as connection:
                self._write(connection, number, payment, details)
            self.world.fault(f"imported, {'at' if there else 'not at'} the treasury")
            self.world.event(f"{number} is imported as FAILED; the treasury {'has' if there else 'lacks'} it")

    def _send(
        self, number: str, payment: Mapping[str, Any], details: Sequence[Mapping[str, Any]], accounts: Mapping[str, str]
    ) -> bool:
        """What it had sent to the treasury; whether that was accepted."""
        sanction = self.books.rows(
            """
            SELECT s.*, a.ssu_allotment_id, a.serial_no FROM ifms.sanction s
            JOIN ifms.allotment a ON a.sanction_id = s.id AND a.kind <> 'WITHDRAWAL'
            WHERE s.tenant_id = %s ORDER BY s.master_allotment_id, a.serial_no LIMIT 1
            """,
            payment["tenant_id"],
        )
        if not sanction:
            return False
        fund = sanction[0]
        request = PiRequest(
            jit_bill_no=number,
            jit_bill_date=self.world.clock.now().replace(microsecond=0),
            jit_bill_ddo_code=fund["ddo_code"],
            grantee_ag_code=fund["grantee_code"],
            scheme_code=fund["scheme_code"],
            hoa=fund["hoa_code"],
            ssu_ia_id=fund["ssu_id"],
            mst_allotment_dist_id=fund["master_allotment_id"],
            ssu_allotment_id=fund["ssu_allotment_id"],
            allotment_txn_sl_no=str(fund["serial_no"]),
            bill_gross_amount=payment["amount"],
            bill_net_amount=payment["amount"],
            purpose="Mukta Payment",
            beneficiary_details=tuple(
                PiBeneficiary(
                    benef_id=f"{number}/{place}",
                    benef_name="Sample Payee",
                    benf_acct_no=accounts[detail["payee"]["identifier"]],
                    benf_bank_ifsc_code="SMPL0000001",
                    benf_mobile_no="9000000000",
                    benf_address="Sample Town",
                    benf_account_type="SAVINGS",
                    benf_amount=_amount(detail),
                )
                for place, detail in enumerate(details, start=1)
            ),
        )
        service, params = opened(load(request.to_wire()))
        reply = self.office.treasury.answer(service, params, {})
        return bool(reply["data"])

    def _write(
        self, connection: Connection[Any], number: str, payment: Mapping[str, Any], details: Sequence[Mapping[str, Any]]
    ) -> None:
        row = connection.execute(
            """
            INSERT INTO ifms.payment_instruction (tenant_id, pi_number, pi_type, payment_number, is_active, hoa_code,
                ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, ssu_allotment_id, allotment_serial_no,
                gross_amount, net_amount, beneficiary_count, bill_date, financial_year, purpose, attempts, last_attempt,
                last_attempt_at, error_code, error_message, uncertain, created_at, imported_at)
            VALUES (%(tenant)s, %(number)s, 'ORIGINAL', %(payment)s, false, '', '', (SELECT ssu_id FROM ifms.sanction
                WHERE tenant_id = %(tenant)s ORDER BY id LIMIT 1), '', '', '', '', 0, %(amount)s, %(amount)s, %(n)s,
                %(at)s, '2060-61', 'MUKTA', 1, 'unknown', now(), 'PAYMENT_SERVER_UNREACHABLE',
                'PAYMENT_SERVER_UNREACHABLE', true, now(), now())
            RETURNING id
            """,
            {
                "tenant": payment["tenant_id"],
                "number": number,
                "payment": payment["payment_number"],
                "amount": payment["amount"],
                "n": len(details),
                "at": self.world.clock.now().replace(microsecond=0),
            },
        ).fetchone()
        assert row is not None
        for place, detail in enumerate(details, start=1):
            connection.execute(
                """
                INSERT INTO ifms.beneficiary (payment_instruction_id, beneficiary_number, beneficiary_id,
                    beneficiary_type, amount, line_item_ids, name, account_last4, account_type, ifsc, bank_account_id,
                    mobile, address, imported_as)
                VALUES (%s, %s, %s, 'IND', %s, %s, '', '', '', '', '', '', '', 'Payment Pending')
                """,
                (
                    row[0],
                    f"{number}/{place}",
                    detail["payee"]["identifier"],
                    _amount(detail),
                    [line["id"] for line in detail["payableLineItems"]],
                ),
            )
        connection.execute("UPDATE ifms.payment_instruction SET status = 'FAILED' WHERE id = %s", (row[0],))
        connection.execute(
            """
            INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status,
                from_status, to_status, message)
            VALUES (%s, %s, %s, 'IMPORT', 'STATUS_LOG_IMPORT_SUCCESS', 'PENDING', 'FAILED',
                    'as the Java adapter had it')
            """,
            (row[0], payment["tenant_id"], payment["payment_number"]),
        )
        connection.execute(
            """
            UPDATE ifms.payment SET hold_code = 'PI_IN_DOUBT', held_since = now(), hold_message = %s
            WHERE tenant_id = %s AND payment_number = %s
            """,
            (f"the Java adapter's PI {number} got no answer", payment["tenant_id"], payment["payment_number"]),
        )


def _amount(detail: Mapping[str, Any]) -> Decimal:
    return sum((Decimal(str(line["amount"])) for line in detail["payableLineItems"]), Decimal(0))
