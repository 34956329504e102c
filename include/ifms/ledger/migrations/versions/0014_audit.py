"""The records of the ledger form a chain of hashes per city; who works on it may rewrite columns, not tables."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    # Straight to psycopg, in alembic's transaction: as a script, in which % is a % and not a parameter.
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.cursor().execute(script)
