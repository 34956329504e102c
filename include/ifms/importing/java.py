"""Taking over from the Java adapter: its ten tables into this ledger, whole payments at a time, as often as needed.

One transaction: what fits is written by the ledger's own steps, what does not is named and withheld, the sums and the
ledger's invariants are looked at, and only then is it committed. A rehearsal is the same, rolled back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from psycopg import errors as pg

from ifms.errors import LedgerError
from ifms.importing import doubts, reconcile_totals, rules
from ifms.importing.source import Masters, note_removed, stage
from ifms.importing.write import write
from ifms.ledger import invariants, phrases
from ifms.ledger.database import Connection

# What an import itself finds out, or what has waited there for long already, and it cannot mend.
EXPECTED = frozenset(
    {
        "nothing_is_withheld",
        "earlier_numbers_are_known",
        "statuses_move_on",
        "failures_are_asked_for",
        "failures_are_corrected",
    }
)
PATIENCE = "15s"  # how long sweeps that are at work are waited for


@dataclass(frozen=True)
class Misfit:
    """A row that was left out: what is left out with it (`scope`), which it is, why, and what to do."""

    scope: str
    about: str
    why: str
    remedy: str


@dataclass(frozen=True)
class Report:
    """What an import came to."""

    changed: int  # rows of the Java adapter that are new, or have changed, since the last import
    tables: list[reconcile_totals.Table]
    misfits: list[Misfit]
    states: Counter[tuple[str, str]]  # (its status there, its status here) of the PIs taken in
    remarks: list[str]
    rehearsed: bool


def run(
    target: Connection,
    source: Connection,
    masters: Masters,
    *,
    schema: str = "public",
    by_rows: Collection[str] = (),
    removed: Collection[str] = (),
    removed_of: str | None = None,
    rehearse: bool = False,
) -> Report:
    """Import everything that fits; `target` is a connection of the ledger's owner, in no transaction.

    Raises LedgerError, and nothing is changed, when sums or invariants disagree afterwards, or sweeps are at work.
    """
    with target.transaction(force_rollback=rehearse):
        target.execute("SELECT set_config('lock_timeout', %s, true)", (PATIENCE,))
        try:  # nobody makes a PI, or moves one, until it is known which payments are paid
            target.execute("LOCK TABLE ifms.payment, ifms.payment_instruction IN SHARE ROW EXCLUSIVE MODE")
        except pg.LockNotAvailable:
            raise LedgerError(
                "sweeps are at work on the ledger: pause the DAGs, and import when they have ended"
            ) from None
        before = _broken(target)
        stage(target, source, schema, masters, by_rows)
        note_removed(target, removed, removed_of)
        doubts.mark(target, phrases.phrasebook(target))
        rules.find_violations(target)
        changed = write(target)
        tables = reconcile_totals.tables(target)
        wrong = [f"{table.name}: {table}" for table in tables if not table.agrees] + reconcile_totals.differences(
            target
        )
        wrong += sorted(_broken(target) - before)
        if wrong:
            raise LedgerError(f"nothing was imported, because afterwards this would not agree: {'; '.join(wrong[:5])}")
        return Report(changed, tables, _misfits(target), _states(target), _remarks(target), rehearse)


def _broken(connection: Connection) -> set[str]:
    return {
        f"{found.invariant.name}: {row}"
        for found in invariants.find_violations(connection, shown=1000)
        if found.invariant.name not in EXPECTED
        for row in found.rows
    }


def _misfits(connection: Connection) -> list[Misfit]:
    rows = connection.execute(
        "SELECT DISTINCT scope, about, why, remedy FROM java_misfit ORDER BY scope DESC, about, why"
    ).fetchall()
    return [Misfit(*row) for row in rows]


def _states(connection: Connection) -> Counter[tuple[str, str]]:
    rows = connection.execute(
        """
        SELECT p.pi_type || ' ' || p.reported_status, i.status, count(*)
        FROM fit_pi p JOIN ifms.payment_instruction i ON i.id = p.ledger_id GROUP BY 1, 2
        """
    ).fetchall()
    return Counter({(there, here): n for there, here, n in rows})


def _remarks(connection: Connection) -> list[str]:
    """What was imported and still wants a person's eye."""
    rows = connection.execute(
        """
        SELECT 'PI ' || p.pi_number || ' is FAILED, but not by an answer that is known to refuse it; the treasury may '
               || 'have it all the same: ask it before '
               || CASE WHEN p.pi_type = 'REVISED' THEN 'its failed beneficiaries are corrected again'
                       WHEN y.paid_by IS NULL THEN 'its payment ' || p.payment_number || ' gets another'
                       ELSE 'its payment ' || p.payment_number || ' gets another, and whether it was paid beside the '
                            || 'one that has' END
        FROM fit_pi p JOIN ifms.payment y ON (y.tenant_id, y.payment_number) = (p.tenant_id, p.payment_number)
        WHERE p.doubtful
        UNION ALL
        SELECT 'payments ' || payments || ' of ' || tenant_id || ' pay the same ' || CASE count(*) WHEN 1 THEN 'line '
               ELSE count(*) || ' lines, one of them ' END || min(line) || ', and the treasury has been sent both: ask '
               || 'it to stop what is not paid yet, and claim back what was paid twice'
        FROM (SELECT p.tenant_id, line,
                     string_agg(DISTINCT p.payment_number, ' and ' ORDER BY p.payment_number) AS payments
              FROM fit_pi p JOIN fit_beneficiary b ON b.pi_id = p.id, unnest(b.lines) line
              WHERE p.target <> 'FAILED' GROUP BY 1, 2 HAVING count(DISTINCT p.payment_number) > 1) twice
        GROUP BY tenant_id, payments
        UNION ALL
        SELECT 'allotment ' || s.master_allotment_id || '/' || a.ssu_allotment_id || '/' || a.serial_no
               || ' is there more than once; it counts once here'
        FROM java_allotment a JOIN sanction_here s ON s.java_id = a.sanction_id WHERE a.repeated
        UNION ALL
        SELECT 'sanction ' || s.master_allotment_id || ' is imported by its rows, available ' || r.allotted - r.spent
               || '; the Java adapter''s summary said ' || coalesce(j.available::text, 'nothing')
        FROM sanction_here s
        JOIN java_by_rows r ON r.id = s.java_id AND r.accepted
        JOIN java_sanction j ON j.id = s.java_id
        WHERE j.available IS DISTINCT FROM r.allotted - r.spent
        UNION ALL
        SELECT 'payment ' || payment_number || ' of ' || tenant_id || ' stays withheld, though this database has it no '
               || 'more; if its rows were removed because nothing of it was ever sent, name it with --removed'
        FROM ifms.import_withheld WHERE settled_at IS NULL AND last_told_at <> now()
        UNION ALL
        SELECT 'sanction ' || s.master_allotment_id || ' is of ' || s.financial_year || '; the Java adapter said '
               || j.financial_year
        FROM sanction_here s JOIN java_sanction j ON j.id = s.java_id WHERE j.financial_year <> s.financial_year
        ORDER BY 1
        """
    ).fetchall()
    return [row[0] for row in rows]
