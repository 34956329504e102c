"""Whether all that was there is here: rows and money, table by table, sanction by sanction, PI by PI."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ifms.ledger.database import Connection


@dataclass(frozen=True)
class Table:
    """One of the ten tables: its rows and rupees, how many are in the ledger, and how many are left out."""

    name: str
    rows: int
    money: Decimal
    here: int
    money_here: Decimal
    left_out: int
    money_left_out: Decimal

    @property
    def agrees(self) -> bool:
        """Whether every row and rupee is in one place or the other."""
        return self.rows == self.here + self.left_out and self.money == self.money_here + self.money_left_out


# The money of a Java row: what its table is about.
_AMOUNT = """CASE source WHEN 'jit_sanction_details' THEN content->>'sanctionedamount'
    WHEN 'jit_allotment_details' THEN content->>'allotmentamount'
    WHEN 'jit_payment_inst_details' THEN content->>'netamount'
    WHEN 'jit_beneficiary_details' THEN content->>'amount' WHEN 'jit_transaction_details' THEN
    content->>'transactionamount' END"""

# Counted in the ledger's own tables where they have a row each; the others are kept as they were, in import_row.
_HERE = """
    SELECT 'jit_sanction_details', count(*), sum(l.sanctioned_amount) FROM sanction_here l
    UNION ALL SELECT 'jit_allotment_details', count(*), sum(l.amount)
    FROM java_allotment a JOIN sanction_here s ON s.java_id = a.sanction_id AND NOT a.repeated
    JOIN ifms.allotment l ON (l.sanction_id, l.ssu_allotment_id, l.serial_no) = (s.id, a.ssu_allotment_id, a.serial_no)
    UNION ALL SELECT 'jit_payment_inst_details', count(*), sum(l.net_amount)
    FROM fit_pi p JOIN ifms.payment_instruction l ON l.id = p.ledger_id
    UNION ALL SELECT 'jit_beneficiary_details', count(*), sum(l.amount)
    FROM fit_beneficiary b JOIN ifms.beneficiary l ON l.id = b.ledger_id
    UNION ALL SELECT 'jit_beneficiary_lineitems', coalesce(sum(cardinality(l.line_item_ids)), 0), 0
    FROM fit_beneficiary b JOIN ifms.beneficiary l ON l.id = b.ledger_id
    UNION ALL SELECT 'jit_transaction_details', count(*), sum(l.amount)
    FROM fit_pi p JOIN ifms.fund_movement l ON l.payment_instruction_id = p.ledger_id
        AND (l.kind = 'DEBIT' OR (l.kind = 'REVERSAL' AND p.reversals > 0))  -- others are this ledger's own
    UNION ALL SELECT r.source, count(*), 0
    FROM fit_row r JOIN ifms.import_row k USING (source, source_id, digest)
    WHERE r.source IN ('jit_funds_summary', 'jit_payment_advice_details', 'jit_executed_va_logs', 'jit_pi_status_logs')
    GROUP BY 1
"""


def tables(connection: Connection) -> list[Table]:
    """The sums of each table that has rows."""
    rows = connection.execute(
        f"""
        WITH there AS (
            SELECT r.source, count(*) AS n, coalesce(sum(({_AMOUNT})::numeric), 0) AS money,
                   count(*) FILTER (WHERE f.place IS NULL) AS out,
                   coalesce(sum(({_AMOUNT})::numeric) FILTER (WHERE f.place IS NULL), 0) AS money_out
            FROM java_row r LEFT JOIN (SELECT place FROM fit_row) f USING (place) GROUP BY 1
        ), here (source, n, money) AS ({_HERE})
        SELECT t.source, t.n, t.money, coalesce(h.n, 0), coalesce(h.money, 0), t.out, t.money_out
        FROM there t LEFT JOIN here h USING (source) ORDER BY 1
        """
    ).fetchall()
    return [Table(name, n, _rupees(m), int(h), _rupees(mh), o, _rupees(mo)) for name, n, m, h, mh, o, mo in rows]


def _rupees(value: Decimal | int) -> Decimal:
    return Decimal(value).quantize(Decimal("0.01")) + 0


def differences(connection: Connection) -> list[str]:
    """Sanctions and PIs that were imported with other amounts than they had: there must be none."""
    rows = connection.execute(
        """
        SELECT 'sanction ' || s.master_allotment_id || ': allotted ' || r.allotted || ', spent ' || r.spent
               || ' there; allotted ' || coalesce(m.allotted, 0) || ', spent ' || coalesce(m.spent, 0)
               || ' and withheld ' || w.amount || ' here'
        FROM sanction_here s JOIN java_by_rows r ON r.id = s.java_id
        LEFT JOIN (SELECT m.sanction_id,
                          sum(CASE m.kind WHEN 'ALLOTMENT' THEN m.amount WHEN 'WITHDRAWAL' THEN -m.amount END)
                              FILTER (WHERE a.id IS NOT NULL) AS allotted,
                          sum(CASE WHEN m.kind = 'DEBIT' THEN m.amount
                                   WHEN m.kind = 'REVERSAL' AND f.reversals > 0 THEN -m.amount END)
                              FILTER (WHERE f.id IS NOT NULL) AS spent
                   FROM ifms.fund_movement m LEFT JOIN fit_pi f ON f.ledger_id = m.payment_instruction_id
                   LEFT JOIN (SELECT l.id FROM ifms.allotment l JOIN sanction_here s ON s.id = l.sanction_id
                              JOIN java_allotment j ON (j.sanction_id, j.ssu_allotment_id, j.serial_no)
                                  = (s.java_id, l.ssu_allotment_id, l.serial_no) AND NOT j.repeated
                              ) a ON a.id = m.allotment_id
                   GROUP BY 1) m ON m.sanction_id = s.id
        CROSS JOIN LATERAL (SELECT coalesce(sum(w.amount), 0) AS amount FROM ifms.import_withheld w
                            WHERE w.last_told_at = now()  -- not what is there no more
                              AND (w.tenant_id, w.hoa_code, w.ddo_code, w.master_allotment_id)
                                = (s.tenant_id, s.hoa_code, s.ddo_code, s.master_allotment_id)) w
        WHERE (r.allotted, r.spent) IS DISTINCT FROM (coalesce(m.allotted, 0), coalesce(m.spent, 0) + w.amount)
        UNION ALL
        SELECT 'PI ' || p.pi_number || ': ' || p.net || ' for ' || t.n || ' there, ' || i.net_amount || ' for '
               || count(l.id) || ' with ' || coalesce(sum(l.amount), 0) || ' here'
        FROM fit_pi p JOIN java_tally t ON t.pi_id = p.id JOIN ifms.payment_instruction i ON i.id = p.ledger_id
        LEFT JOIN ifms.beneficiary l ON l.payment_instruction_id = i.id
        GROUP BY p.pi_number, p.net, t.n, t.total, i.net_amount, i.status, p.target
        HAVING (p.net, t.n, t.total) IS DISTINCT FROM (i.net_amount, count(l.id), sum(l.amount))
        ORDER BY 1
        """
    ).fetchall()
    return [row[0] for row in rows]
