"""Acts that move or free money are proposed by one person and approved by another."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    # Straight to psycopg, in alembic's transaction: as a script, in which % is a % and not a parameter.
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.cursor().execute(script)
