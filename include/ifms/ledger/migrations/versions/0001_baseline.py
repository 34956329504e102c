"""The ledger before its first release: files by subject, in the order in which they need each other."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL files of the directory of the same name, in their order."""
    # Straight to psycopg, in alembic's transaction: as a script, in which % is a % and not a parameter.
    cursor = op.get_bind().connection.cursor()
    for script in sorted(Path(__file__).with_suffix("").glob("*.sql")):
        cursor.execute(script.read_text(encoding="utf-8"))
