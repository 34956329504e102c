"""What the views promise, as a page: their columns, types and meanings, read out of the database that says them."""

from __future__ import annotations

from ifms.ledger.database import Connection

_COLUMNS = """
    SELECT c.relname, obj_description(c.oid, 'pg_class'), a.attname, format_type(a.atttypid, a.atttypmod),
           col_description(c.oid, a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'ifms'::regnamespace AND c.relkind = 'v'
    ORDER BY c.relname, a.attnum
"""

_HEAD = """\
# The views

Made from the database by `ifms views`; a test keeps the two alike. The views are a contract: a column keeps its name,
its type and its meaning, new ones come behind the last. Amounts are rupees, `numeric`, exact. Instants (`timestamp with
time zone`) are shown in the session's time zone, which is UTC through LedgerHook; dates are IST, as are the treasury's.
No view holds an account number.

A login that is a member of `ifms_read` sees the views, and of the tables the numbers, amounts, statuses and instants
that the reports count (`grants.sql` has the columns): no name, no account, no text of anybody's. So it can make every
report, and is refused `SELECT *` of a table.

LedgerHook says `SET jit = off`; say so in a tool of your own, too. Else PostgreSQL compiles the plan of a search by
bill, of which it expects thousands, and that takes longer than the search.
"""


def page(connection: Connection) -> str:
    """The page, in Markdown; `docs/views.md` holds it."""
    parts = [_HEAD]
    last = None
    for view, meaning, column, kind, comment in connection.execute(_COLUMNS).fetchall():
        if view != last:
            parts.append(f"\n## {view}\n\n{meaning or ''}\n\n| column | type | meaning |\n|---|---|---|\n")
            last = view
        parts.append(f"| `{column}` | {kind} | {_cell(comment or '')} |\n")
    return "".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
